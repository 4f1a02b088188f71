//! Functions compiled once more for every instruction set that [`pulp`] knows.

/// Declares a function whose body is compiled for each instruction set and run as that of the machine.
///
/// A closure would do, were it sure to be inlined where the instruction set is known; what is called by its trait's
/// method is.
macro_rules! vectorized {
    ($(#[$attribute:meta])* fn $name:ident($($argument:ident: $type:ty),+ $(,)?) -> $output:ty $body:block) => {
        $(#[$attribute])*
        fn $name($($argument: $type),+) -> $output {
            #[allow(non_camel_case_types)]
            struct Call<$($argument),+>($($argument),+);

            impl pulp::NullaryFnOnce for Call<$($type),+> {
                type Output = $output;

                #[inline(always)]
                fn call(self) -> $output {
                    let Self($($argument),+) = self;
                    $body
                }
            }

            pulp::Arch::new().dispatch(Call($($argument),+))
        }
    };
}
