//! The people and enterprises of the demonstration. Every name carries （示范）; codes have right
//! check characters and belong to nobody known to the program.

use jiff::civil::Date;
use rand::RngExt;
use rand_chacha::ChaCha20Rng;
use vocab::{BankAccountNumber, BankCode, CreditCode, IdNumber, Phone, RegionCode};

use crate::party::{NewParty, PartyKind};

/// A county of the demonstration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct County {
    /// Region code.
    pub(super) region: &'static str,
    /// How log-in names of its people end.
    pub(super) short: &'static str,
    /// What stands for it in the numbers of papers.
    pub(super) sign: &'static str,
    /// Its name without 县 or 市.
    pub(super) name: &'static str,
    /// Its full name.
    pub(super) full: &'static str,
}

/// The two counties.
pub(super) const COUNTIES: [County; 2] = [
    County {
        region: "330324",
        short: "yj",
        sign: "永",
        name: "永嘉",
        full: "永嘉县",
    },
    County {
        region: "330382",
        short: "yq",
        sign: "乐",
        name: "乐清",
        full: "乐清市",
    },
];

const SURNAMES: &[&str] = &[
    "陈", "林", "黄", "张", "王", "李", "吴", "周", "徐", "叶", "郑", "潘", "金", "朱", "胡", "谢",
    "蔡", "项", "夏", "卢",
];
const GIVEN: &[&str] = &[
    "建平", "晓燕", "志强", "丽娜", "国华", "海波", "秀兰", "永康", "思远", "雪梅", "文斌", "小玲",
    "一鸣", "春生", "佩芬", "伟", "静", "宏亮", "素珍", "子涵",
];
const BRANDS: &[&str] = &[
    "瓯越",
    "楠江",
    "雁宁",
    "光华",
    "日昇",
    "恒晖",
    "启明",
    "东屿",
    "力拓源",
    "绿源",
    "晴川",
    "天衡",
    "博信",
    "金曜",
    "盛晖",
    "安泽",
    "宏晟",
    "新晖",
    "百川",
    "嘉能",
];
const TRADES: &[(&str, &str)] = &[
    ("新能源", "D4416"),
    ("电气", "C3823"),
    ("阀门", "C3443"),
    ("鞋业", "C1952"),
    ("泵业", "C3441"),
    ("服饰", "C1811"),
    ("教玩具", "C2451"),
    ("汽车零部件", "C3670"),
];
const BANKS: &[(&str, &str)] = &[
    ("示范银行永嘉支行", "102333000014"),
    ("示范农商银行乐清支行", "402333000022"),
    ("示范商业银行温州分行", "313333000035"),
];

/// Where a party keeps its account.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) bank_name: &'static str,
    pub(super) bank_code: BankCode,
    pub(super) number: BankAccountNumber,
}

/// One of a list, by the generator.
pub(super) fn pick<'a, T>(rng: &mut ChaCha20Rng, from: &'a [T]) -> Option<&'a T> {
    from.get(rng.random_range(0..from.len().max(1)))
}

fn digits(rng: &mut ChaCha20Rng, count: usize) -> String {
    (0..count)
        .map(|_| char::from(b'0' + rng.random_range(0..10_u8)))
        .collect()
}

/// A person's name, marked.
pub(super) fn person_name(rng: &mut ChaCha20Rng) -> String {
    let surname = pick(rng, SURNAMES).copied().unwrap_or("陈");
    let given = pick(rng, GIVEN).copied().unwrap_or("伟");
    format!("{surname}{given}（示范）")
}

/// A mobile number of a block that is not given out for voice.
fn phone(rng: &mut ChaCha20Rng) -> Option<Phone> {
    Phone::parse(&format!("1990000{}", digits(rng, 4))).ok()
}

/// An enterprise of a county; `number` keeps names apart.
pub(super) fn enterprise(rng: &mut ChaCha20Rng, county: County, number: usize) -> Option<NewParty> {
    let brand = BRANDS.get(number % BRANDS.len()).copied()?;
    let (trade, industry) = *TRADES.get((number / BRANDS.len() + number) % TRADES.len())?;
    let body = format!("MAD{:03}{}", number % 1_000, digits(rng, 3));
    let code = CreditCode::from_first_17(&format!("91{}{body}", county.region)).ok()?;
    let founded = Date::new(
        rng.random_range(2001..2022),
        rng.random_range(1..13),
        rng.random_range(1..29),
    )
    .ok()?;
    Some(NewParty {
        kind: PartyKind::Enterprise,
        name: format!("{}{brand}{trade}有限公司（示范）", county.name),
        credit_code: Some(code),
        id_number: None,
        phone: phone(rng),
        address: Some(format!(
            "{}示范工业园区{}号",
            county.full,
            rng.random_range(1..300)
        )),
        region: RegionCode::parse(county.region).ok()?,
        industry: Some(industry.parse().ok()?),
        legal_representative: Some(person_name(rng)),
        founded_on: Some(founded),
        demo: true,
    })
}

/// A natural person of a county.
pub(super) fn person(rng: &mut ChaCha20Rng, county: County, number: usize) -> Option<NewParty> {
    let born = Date::new(
        rng.random_range(1955..1999),
        rng.random_range(1..13),
        rng.random_range(1..29),
    )
    .ok()?;
    let first = format!(
        "{}{}{:03}",
        county.region,
        born.strftime("%Y%m%d"),
        number % 1_000
    );
    Some(NewParty {
        kind: PartyKind::Person,
        name: person_name(rng),
        credit_code: None,
        id_number: Some(IdNumber::from_first_17(&first).ok()?),
        phone: phone(rng),
        address: Some(format!(
            "{}示范村{}组{}号",
            county.full,
            rng.random_range(1..12),
            rng.random_range(1..90)
        )),
        region: RegionCode::parse(county.region).ok()?,
        industry: None,
        legal_representative: None,
        founded_on: None,
        demo: true,
    })
}

/// A bank account.
pub(super) fn bank_account(rng: &mut ChaCha20Rng) -> Option<Account> {
    let (bank_name, code) = *pick(rng, BANKS)?;
    Some(Account {
        bank_name,
        bank_code: BankCode::parse(code).ok()?,
        number: BankAccountNumber::parse(&format!("62{}", digits(rng, 17))).ok()?,
    })
}
