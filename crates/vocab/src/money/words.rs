//! Amounts in capital Chinese numerals (人民币大写), as cheques and decisions print them.
//!
//! It lacks the word 人民币 itself, which the form prints.

const DIGITS: [char; 10] = ['零', '壹', '贰', '叁', '肆', '伍', '陆', '柒', '捌', '玖'];
const WAN: u64 = 10_000;
const YI: u64 = 100_000_000;

/// The amount of `fen` in words; see [`crate::Fen::in_words`].
pub(super) fn in_words(fen: i64) -> String {
    let magnitude = fen.unsigned_abs();
    let (yuan, jiao, cents) = (magnitude / 100, magnitude / 10 % 10, magnitude % 10);
    let mut text = String::new();
    if fen < 0 {
        text.push('负');
    }
    if yuan > 0 || magnitude == 0 {
        push_whole(&mut text, yuan);
        text.push('元');
    }
    if jiao > 0 {
        push_digit(&mut text, jiao);
        text.push('角');
    } else if cents > 0 && yuan > 0 {
        text.push('零');
    }
    if cents > 0 {
        push_digit(&mut text, cents);
        text.push('分');
    } else {
        text.push('整');
    }
    text
}

/// A whole number: 亿 and 万 split it, and a 零 stands for the places left out after either.
fn push_whole(text: &mut String, number: u64) {
    if number >= YI {
        push_whole(text, number / YI);
        text.push('亿');
        push_rest(text, number % YI, YI / 10);
    } else if number >= WAN {
        push_section(text, number / WAN);
        text.push('万');
        push_rest(text, number % WAN, WAN / 10);
    } else if number > 0 {
        push_section(text, number);
    } else {
        push_digit(text, 0);
    }
}

/// What follows 亿 or 万; `full` is the least number that fills its first place.
fn push_rest(text: &mut String, rest: u64, full: u64) {
    if rest == 0 {
        return;
    }
    if rest < full {
        text.push('零');
    }
    push_whole(text, rest);
}

/// A number from 1 to 9999.
fn push_section(text: &mut String, number: u64) {
    let mut started = false;
    let mut gap = false;
    for (place, name) in [(1000, "仟"), (100, "佰"), (10, "拾"), (1, "")] {
        let digit = number / place % 10;
        if digit == 0 {
            gap = started;
            continue;
        }
        if gap {
            text.push('零');
        }
        push_digit(text, digit);
        text.push_str(name);
        (started, gap) = (true, false);
    }
}

fn push_digit(text: &mut String, digit: u64) {
    text.extend(DIGITS.get(usize::try_from(digit).unwrap_or_default()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(yuan: &str, words: &str) {
        let fen = crate::Fen::parse_yuan(yuan).unwrap();
        assert_eq!(fen.in_words(), words, "{yuan}");
    }

    #[test]
    fn whole_yuan() {
        check("0", "零元整");
        check("1", "壹元整");
        check("10", "壹拾元整");
        check("15", "壹拾伍元整");
        check("100", "壹佰元整");
        check("101", "壹佰零壹元整");
        check("110", "壹佰壹拾元整");
        check("1001", "壹仟零壹元整");
        check("1010", "壹仟零壹拾元整");
        check("1100", "壹仟壹佰元整");
        check("14300", "壹万肆仟叁佰元整");
        check("10000", "壹万元整");
        check("10001", "壹万零壹元整");
        check("10010", "壹万零壹拾元整");
        check("10100", "壹万零壹佰元整");
        check("100000", "壹拾万元整");
        check("107000", "壹拾万柒仟元整");
        check("1000000", "壹佰万元整");
        check("1050000", "壹佰零伍万元整");
        check("10000000", "壹仟万元整");
        check("10203040", "壹仟零贰拾万叁仟零肆拾元整");
    }

    #[test]
    fn hundred_millions() {
        check("100000000", "壹亿元整");
        check("100000001", "壹亿零壹元整");
        check("100010000", "壹亿零壹万元整");
        check("100000100", "壹亿零壹佰元整");
        check("110000000", "壹亿壹仟万元整");
        check("101000000", "壹亿零壹佰万元整");
        check("100101000", "壹亿零壹拾万壹仟元整");
        check("400000000", "肆亿元整");
        check("2000000000", "贰拾亿元整");
        check("1000000000000", "壹万亿元整");
        check("1000000010000", "壹万亿零壹万元整");
        check(
            "92233720368547758.07",
            "玖亿贰仟贰佰叁拾叁万柒仟贰佰零叁亿陆仟捌佰伍拾肆万柒仟柒佰伍拾捌元零柒分",
        );
    }

    #[test]
    fn jiao_and_fen() {
        check("0.01", "壹分");
        check("0.10", "壹角整");
        check("0.11", "壹角壹分");
        check("1.50", "壹元伍角整");
        check("1409.50", "壹仟肆佰零玖元伍角整");
        check("6007.14", "陆仟零柒元壹角肆分");
        check("1680.32", "壹仟陆佰捌拾元叁角贰分");
        check("107000.53", "壹拾万柒仟元伍角叁分");
        check("16409.02", "壹万陆仟肆佰零玖元零贰分");
        check("325.04", "叁佰贰拾伍元零肆分");
        check("-14300", "负壹万肆仟叁佰元整");
        check("-0.05", "负伍分");
    }

    /// Reads the words back by another way: each unit multiplies what stands before it.
    fn value(words: &str) -> i128 {
        let (sign, unsigned) = match words.strip_prefix('负') {
            Some(rest) => (-1, rest),
            None => (1, words),
        };
        let (mut total, mut yi_sum, mut section, mut digit) = (0_i128, 0_i128, 0_i128, 0_i128);
        for c in unsigned.chars() {
            match c {
                '仟' => section += std::mem::take(&mut digit) * 1000,
                '佰' => section += std::mem::take(&mut digit) * 100,
                '拾' => section += std::mem::take(&mut digit) * 10,
                '万' => {
                    yi_sum += (std::mem::take(&mut section) + std::mem::take(&mut digit)) * 10_000
                }
                '亿' => {
                    let here = yi_sum + section + digit;
                    total = (total + here) * 100_000_000;
                    (yi_sum, section, digit) = (0, 0, 0);
                }
                '元' => {
                    total = (total + yi_sum + section + digit) * 100;
                    (yi_sum, section, digit) = (0, 0, 0);
                }
                '角' => total += std::mem::take(&mut digit) * 10,
                '分' => total += std::mem::take(&mut digit),
                '整' => {}
                other => digit = DIGITS.iter().position(|&d| d == other).unwrap() as i128,
            }
        }
        sign * total
    }

    proptest! {
        #[test]
        fn words_read_back(fen in prop_oneof![any::<i64>(), -10_000_000_000_i64..10_000_000_000]) {
            let words = in_words(fen);
            prop_assert_eq!(value(&words), i128::from(fen), "{}", words);
            prop_assert!(!words.contains("零零") && (fen == 0 || !words.contains("零元")), "{}", words);
        }

        #[test]
        fn round_numbers_read_back(digit in 1_i64..10, zeros in 0_u32..17, tail in 0_i64..1000) {
            let fen = digit * 10_i64.pow(zeros) + tail;
            prop_assert_eq!(value(&in_words(fen)), i128::from(fen));
        }
    }
}
