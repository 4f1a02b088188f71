//! Values of TOML for serde, with errors that know the key.
//!
//! The `toml` crate says what is wrong and in which line of the file, but not in which key, and its message is text.
//! Here an unknown key or name is an error of its own, from which the nearest known one can be told.

use std::fmt::{self, Display};
use std::path::Path;

use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use toml::{Table, Value};

use super::ConfigError;

/// What is wrong, and with which key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Sections and key, the innermost first.
    keys: Vec<String>,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Problem {
    UnknownKey { key: String, known: &'static [&'static str] },
    Other(String),
}

/// Reads a value of type `T` from a table.
pub(super) fn from_table<T: DeserializeOwned>(table: Table) -> Result<T, Fault> {
    T::deserialize(Named(Value::Table(table)))
}

/// The variant called `name`, with the default numbers that it has in a configuration file.
///
/// # Errors
/// The known names, and the nearest, where there is no such variant.
pub fn by_name<T: DeserializeOwned>(name: &str) -> Result<T, String> {
    T::deserialize(Named(Value::String(name.to_owned()))).map_err(|fault| match fault.problem {
        Problem::Other(problem) => problem,
        Problem::UnknownKey { key, .. } => format!("unknown key `{key}`"),
    })
}

/// The name among `known` that is spelt most like `name`.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    // Equally near ones: the first, as they are declared.
    known.iter().copied().min_by_key(|known| strsim::damerau_levenshtein(name, known))
}

impl Fault {
    fn other(problem: impl Display) -> Self {
        Self { keys: vec![], problem: Problem::Other(problem.to_string()) }
    }

    fn within(mut self, key: &str) -> Self {
        self.keys.push(key.to_owned());
        self
    }

    /// The same as an error about the file at `path`.
    pub(super) fn at(self, path: &Path) -> ConfigError {
        let path = path.to_owned();
        let mut keys: Vec<&str> = self.keys.iter().rev().map(String::as_str).collect();
        match &self.problem {
            Problem::Other(problem) => ConfigError::Value { path, key: keys.join("."), problem: problem.clone() },
            Problem::UnknownKey { key, known } => {
                let section = keys.clone();
                keys.push(key);
                let key = keys.join(".");
                match nearest(&key[key.rfind('.').map_or(0, |dot| dot + 1)..], known) {
                    Some(nearest) => {
                        let nearest = section.into_iter().chain([nearest]).collect::<Vec<_>>().join(".");
                        ConfigError::UnknownKey { path, key, nearest }
                    }
                    None => ConfigError::Value { path, key, problem: "nothing can be given here".to_owned() },
                }
            }
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self::other(message)
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::other(format_args!("{unexpected} is of the wrong type; give {expected}"))
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self { keys: vec![], problem: Problem::UnknownKey { key: key.to_owned(), known } }
    }

    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Self {
        let nearest = nearest(name, known).unwrap_or_default();
        Self::other(format_args!("unknown name {name:?}; the nearest is {nearest:?}, of {}", known.join(", ")))
    }
}

/// A value on its way to serde.
struct Named(Value);

impl<'de> Deserializer<'de> for Named {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::String(text) => visitor.visit_string(text),
            Value::Integer(number) => visitor.visit_i64(number),
            Value::Float(number) => visitor.visit_f64(number),
            Value::Boolean(value) => visitor.visit_bool(value),
            Value::Datetime(_) => Err(Fault::invalid_type(Unexpected::Other("a date"), &visitor)),
            Value::Array(values) => visitor.visit_seq(Elements(values.into_iter())),
            Value::Table(table) => visitor.visit_map(Entries::of(table)),
        }
    }

    // A key that is there has a value: TOML knows no null.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    /// A name alone is the variant with its defaults; a table of one key is the variant with numbers.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(Variant { name, content: Value::Table(Table::new()) }),
            Value::Table(table) if table.len() == 1 => {
                let Some((name, content)) = table.into_iter().next() else { unreachable!("there is one entry") };
                visitor.visit_enum(Variant { name, content })
            }
            Value::Table(_) => Err(Fault::other("it must name exactly one")),
            other => Named(other).deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

struct Elements(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Elements {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.0.next().map(|value| seed.deserialize(Named(value))).transpose()
    }
}

struct Entries {
    entries: toml::map::IntoIter<String, Value>,
    /// The entry whose key was read last.
    current: Option<(String, Value)>,
}

impl Entries {
    fn of(table: Table) -> Self {
        Self { entries: table.into_iter(), current: None }
    }
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.current = Some((key.clone(), value));
        seed.deserialize(StringDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (key, value) = self.current.take().ok_or_else(|| Fault::other("a value before its key"))?;
        seed.deserialize(Named(value)).map_err(|fault| fault.within(&key))
    }
}

struct Variant {
    name: String,
    content: Value,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Fault;
    type Variant = Content;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content), Fault> {
        let variant = seed.deserialize(StringDeserializer::new(self.name.clone()))?;
        Ok((variant, Content { name: self.name, content: self.content }))
    }
}

struct Content {
    name: String,
    content: Value,
}

impl<'de> VariantAccess<'de> for Content {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.content {
            Value::Table(table) if table.is_empty() => Ok(()),
            _ => Err(Fault::other("it takes no numbers").within(&self.name)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(Named(self.content)).map_err(|fault| fault.within(&self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        Named(self.content).deserialize_any(visitor).map_err(|fault| fault.within(&self.name))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        let fault = |fault: Fault| fault.within(&self.name);
        match self.content {
            Value::Table(table) => {
                MapAccessDeserializer::new(Entries::of(table)).deserialize_any(visitor).map_err(fault)
            }
            other => Named(other).deserialize_any(visitor).map_err(fault),
        }
    }
}
