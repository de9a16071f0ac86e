//! Folding of full-width characters, which Chinese input methods produce for digits and signs.
//!
//! It lacks every other normalisation: a folded text keeps its letters and their case.

/// Replaces full-width ASCII (U+FF01 to U+FF5E) and the ideographic space by their plain forms.
///
/// ```
/// assert_eq!(vocab::fold_width("１２３，４５６．００"), "123,456.00");
/// ```
pub fn fold_width(text: &str) -> String {
    text.chars().map(fold_char).collect()
}

fn fold_char(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        '\u{3000}' => ' ',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::fold_width;

    #[test]
    fn folds_width_and_nothing_else() {
        assert_eq!(fold_width("ＡＢ　１２－３"), "AB 12-3");
        assert_eq!(fold_width("温州 Ab·。"), "温州 Ab·。");
    }
}
