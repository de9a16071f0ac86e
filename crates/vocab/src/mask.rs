//! What a public page may show of a person's name and address.
//!
//! It lacks the codes, which mask themselves, and any way back.

/// Stands for each hidden character of a code or a name. A bullet would be as wide as a Chinese
/// character in the fonts of the pages.
pub(crate) const STAR: char = '*';

/// What a page shows in place of the hidden part of an address.
const HIDDEN_ADDRESS: &str = "****";

/// Surnames of two characters that are in use; a name of three or more characters may begin with one.
const COMPOUND_SURNAMES: &[&str] = &[
    "欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "司徒", "司空",
    "夏侯", "宇文", "长孙", "轩辕", "钟离", "端木", "南宫", "独孤", "百里", "东郭", "呼延", "闻人",
    "澹台", "赫连", "西门", "申屠", "太史", "公羊", "仲孙", "左丘", "第五", "鲜于", "完颜", "耶律",
    "纳兰", "拓跋",
];

/// Hides a given name: 王明 → 王*, 王小明 → 王*明, 欧阳修 → 欧阳*. Names with a middle dot or in
/// letters keep the first character of each part. A remark in full-width brackets behind the name
/// is no part of it and stays: 王小明（示范） → 王*明（示范）.
pub fn mask_person_name(name: &str) -> String {
    let name = name.trim();
    if let Some((name, remark)) = name.split_once('（') {
        return format!("{}（{remark}", mask_person_name(name));
    }
    if name.contains(|c: char| c.is_ascii_alphabetic() || c.is_whitespace() || is_middle_dot(c)) {
        return mask_each_part(name);
    }
    let length = name.chars().count();
    let compound = length >= 3
        && COMPOUND_SURNAMES
            .iter()
            .any(|surname| name.starts_with(surname));
    let surname = match (length, compound) {
        (0 | 1, _) => 0,
        (_, true) => 2,
        (_, false) => 1,
    };
    let keeps_last = length >= surname + 2 && surname > 0;
    name.chars()
        .enumerate()
        .map(|(place, c)| {
            if place < surname || (keeps_last && place + 1 == length) {
                c
            } else {
                STAR
            }
        })
        .collect()
}

fn is_middle_dot(c: char) -> bool {
    matches!(c, '·' | '•' | '・')
}

fn mask_each_part(name: &str) -> String {
    let mut at_start = true;
    name.chars()
        .map(|c| {
            let separates = c.is_whitespace() || is_middle_dot(c);
            let shown = if separates || at_start { c } else { STAR };
            at_start = separates;
            shown
        })
        .collect()
}

/// The endings of the levels of an address, highest first.
const LEVELS: [&[&str]; 4] = [
    &["特别行政区", "自治区", "省"],
    &["自治州", "地区", "市"],
    &["自治县", "县", "区", "市", "旗"],
    &TOWNS,
];
const TOWNS: [&str; 3] = ["街道", "镇", "乡"];

/// Words that end like a district but are none.
const NO_DISTRICTS: &[&str] = &[
    "小区",
    "社区",
    "园区",
    "厂区",
    "校区",
    "工业区",
    "开发区",
    "新村区",
];

/// Characters no name of a region has before its ending: a lower level or a street begins there.
const NEVER_INSIDE: [char; 5] = ['区', '县', '街', '巷', '号'];

/// Digits in a row from which a number may be somebody's account or identity.
const LONG_NUMBER: usize = 11;

/// Hides long numbers inside a text, such as an account in a bank's reason, but for the last four
/// digits: 账号6228480402564890018户名不符 → 账号****0018户名不符. Blanks, hyphens, points and brackets
/// inside a number do not save it, nor do Chinese digits: 电话一三八〇五七七一二三四.
///
/// ```
/// assert_eq!(vocab::mask_numbers("账号 6228 4804 0256 4890 018 户名不符"), "账号 ****0018 户名不符");
/// assert_eq!(vocab::mask_numbers("2026-11-24 退回，电话 0577"), "2026-11-24 退回，电话 0577");
/// assert_eq!(vocab::mask_numbers("138-0577-1234、１３８０５７７１２３４"), "****1234、****1234");
/// assert_eq!(vocab::mask_numbers("138.0577.1234、138 (0577) 1234"), "****1234、****1234");
/// assert_eq!(vocab::mask_numbers("幺三八零五七七幺二三四，二〇二六年"), "****1234，二〇二六年");
/// let stands = "见 330324-2026-000004 330324-2026-000005，2026-11-24 2026-11-30";
/// assert_eq!(vocab::mask_numbers(stands), stands);
/// ```
pub fn mask_numbers(text: &str) -> String {
    // Each script for itself: 330324-2026-000004一案 is the number of a paper and a word.
    mask_script(&mask_script(text, digit), chinese_digit)
}

/// What reads a digit of one script.
type Script = fn(char) -> Option<char>;

fn mask_script(text: &str, script: Script) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().chain(std::iter::once('\n')) {
        if script(c).is_some() || (!run.is_empty() && joins(c)) {
            run.push(c);
            continue;
        }
        flush_number(&mut out, &mut run, script);
        out.push(c);
    }
    out.pop();
    out
}

/// A digit as it is said or written out, 幺 and 两 on the telephone among them.
fn chinese_digit(c: char) -> Option<char> {
    const DIGITS: [&str; 10] = [
        "〇零○Ｏ",
        "一幺壹",
        "二两贰",
        "三叁",
        "四肆",
        "五伍",
        "六陆",
        "七柒",
        "八捌",
        "九玖",
    ];
    let digit = DIGITS.iter().position(|written| written.contains(c))?;
    char::from_digit(u32::try_from(digit).ok()?, 10)
}

/// A digit of either width.
fn digit(c: char) -> Option<char> {
    match c {
        '0'..='9' => Some(c),
        '０'..='９' => char::from_u32(c as u32 - '０' as u32 + '0' as u32),
        _ => None,
    }
}

/// What people put between the groups of one number.
fn joins(c: char) -> bool {
    parts(c)
        || matches!(
            c,
            '-' | '－' | '‑' | '‐' | '–' | '—' | '−' | '.' | '·' | '/'
        )
}

/// What stands between two numbers as well as inside one.
fn parts(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t' | '\u{a0}' | '\u{3000}' | '(' | ')' | '（' | '）'
    )
}

/// Hides what is too long for anything but somebody's number. Numbers of papers and days stand, and
/// what is before them is none with what comes after.
fn flush_number(out: &mut String, run: &mut String, script: Script) {
    let mut number = String::new();
    for word in run.split_inclusive(parts) {
        let bare = word.trim_end_matches(parts);
        if is_paper(bare) || is_day(bare) {
            hide(out, &number, script);
            number.clear();
            out.push_str(word);
        } else {
            number.push_str(word);
        }
    }
    hide(out, &number, script);
    run.clear();
}

fn hide(out: &mut String, number: &str, script: Script) {
    let digits: String = number.chars().filter_map(script).collect();
    let tail = number.trim_end_matches(joins).len();
    match digits.get(digits.len().saturating_sub(4)..) {
        Some(last) if digits.len() >= LONG_NUMBER => {
            out.push_str("****");
            out.push_str(last);
            out.push_str(number.get(tail..).unwrap_or_default());
        }
        _ => out.push_str(number),
    }
}

/// Groups of plain digits: their lengths, and whether they begin as a year does.
fn groups(word: &str, by: &[char]) -> Option<Vec<(usize, bool)>> {
    let groups = word.split(by).map(|group| {
        let plain = group.bytes().all(|byte| byte.is_ascii_digit());
        let year = group.starts_with("19") || group.starts_with("20");
        plain.then_some((group.len(), year))
    });
    groups.collect()
}

/// Whether this is the number of a case, a batch or a payment file: region, year and a number.
fn is_paper(word: &str) -> bool {
    let groups = groups(word, &['-']);
    matches!(groups.as_deref(), Some([(6, _), (4, true), (3..=6, _)]))
}

/// Whether this is a day, such as 2026-11-24.
fn is_day(word: &str) -> bool {
    let groups = groups(word, &['-', '/', '.']);
    matches!(groups.as_deref(), Some([(4, true), (1..=2, _), (1..=2, _)]))
}

/// The longest name of one level, in characters: 克孜勒苏柯尔克孜自治州 has eleven.
const LONGEST_LEVEL: usize = 14;

/// Keeps an address down to its town or street office and hides the rest: 温州市鹿城区五马街道****.
/// What cannot be read as regions is hidden whole.
pub fn mask_address(address: &str) -> String {
    let address = address.trim();
    if address.is_empty() {
        return String::new();
    }
    let mut rest = address;
    for endings in LEVELS {
        rest = end_of_level(rest, endings)
            .and_then(|end| rest.get(end..))
            .unwrap_or(rest);
    }
    let kept = address.strip_suffix(rest).unwrap_or_default();
    format!("{kept}{HIDDEN_ADDRESS}")
}

/// The byte after the first of `endings`, where it ends a name of at least two characters near the start.
fn end_of_level(text: &str, endings: &[&str]) -> Option<usize> {
    let window_end = text
        .char_indices()
        .nth(LONGEST_LEVEL)
        .map_or(text.len(), |(at, _)| at);
    let window = text.get(..window_end)?;
    if window.starts_with(|c: char| c.is_ascii()) {
        return None;
    }
    let ends_name = |at: usize, ending: &str| {
        // 柳市镇 is a town, not a city 柳市.
        let after = window.get(at + ending.len()..).unwrap_or_default();
        at > 0 && !TOWNS.iter().any(|town| after.starts_with(town))
    };
    let (at, end) = endings
        .iter()
        .filter_map(|ending| {
            let (at, _) = window
                .match_indices(ending)
                .find(|&(at, _)| ends_name(at, ending))?;
            Some((at, at + ending.len()))
        })
        .min()?;
    let (body, name) = (window.get(..at)?, window.get(..end)?);
    let is_place = !body.contains(|c: char| c.is_ascii_digit() || NEVER_INSIDE.contains(&c))
        && !NO_DISTRICTS.iter().any(|no| name.ends_with(no));
    is_place.then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, shown) in [
            ("王明", "王*"),
            ("王小明", "王*明"),
            ("欧阳修", "欧阳*"),
            ("欧阳文忠", "欧阳*忠"),
            ("欧阳", "欧*"),
            ("王小小明", "王**明"),
            ("买买提·艾力", "买**·艾*"),
            ("John Smith", "J*** S****"),
            ("王", "*"),
            ("", ""),
        ] {
            assert_eq!(mask_person_name(name), shown, "{name}");
        }
    }

    #[test]
    fn addresses() {
        for (address, shown) in [
            (
                "浙江省温州市鹿城区五马街道解放街100号",
                "浙江省温州市鹿城区五马街道****",
            ),
            ("温州市永嘉县瓯北镇王家坞路8号", "温州市永嘉县瓯北镇****"),
            ("浙江省乐清市柳市镇新光工业区3号", "浙江省乐清市柳市镇****"),
            ("上海市浦东新区世纪大道100号", "上海市浦东新区****"),
            ("鹿城区杏花小区3幢201室", "鹿城区****"),
            ("杏花小区3幢201室", "****"),
            ("龙港市世纪大道1号", "龙港市****"),
            ("内蒙古自治区锡林郭勒盟", "内蒙古自治区****"),
            ("鹿城区菜市场路3号", "鹿城区****"),
            ("100 Main Street", "****"),
            ("", ""),
        ] {
            assert_eq!(mask_address(address), shown, "{address}");
        }
    }
}
