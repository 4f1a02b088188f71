//! The first-grade kanji.

/// The 80 kanji that Japanese schools teach in the first year, in the order of the official table
/// (MEXT, kyōiku kanji by grade, 小学校学習指導要領 学年別漢字配当表, 2017).
pub const GRADE1: &str = "一右雨円王音下火花貝学気九休玉金空月犬見五口校左三山子四糸字耳七車手十出女小上森\
                          人水正生青夕石赤千川先早草足村大男竹中虫町天田土二日入年白八百文木本名目立力林六";

#[cfg(test)]
mod tests {
    use super::GRADE1;
    use std::collections::BTreeSet;

    #[test]
    fn eighty_distinct_kanji() {
        let distinct: BTreeSet<char> = GRADE1.chars().collect();
        assert_eq!(GRADE1.chars().count(), 80);
        assert_eq!(distinct.len(), 80);
        assert!(distinct.iter().all(|kanji| ('\u{4e00}'..='\u{9fff}').contains(kanji)));
    }
}
