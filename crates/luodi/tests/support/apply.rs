//! A good application for the photovoltaic subsidy, to be spoiled field by field.

/// A small file that is a PDF by its content.
pub const PDF: &[u8] = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n";

/// The papers an enterprise hands in.
pub const PAPERS: &[(&str, &str, &[u8])] = &[
    ("filing_notice", "filing.pdf", PDF),
    ("grid_acceptance", "grid.pdf", PDF),
    ("meter_reading", "meter.pdf", PDF),
    ("licence", "licence.pdf", PDF),
];

const GOOD: &[(&str, &str)] = &[
    ("contact_name", "陈一"),
    ("contact_phone", "19900001234"),
    ("project_name", "坏输入检查用屋顶光伏"),
    ("filing_number", "2408-330324-04-01-123456"),
    ("filed_kw", "100"),
    ("grid_connected_on", "2018-03-01"),
    ("site_address", "永嘉县上塘镇测试路 88 号"),
    ("quarter", "2026Q3"),
    ("meter_no", "3301234567"),
    ("generated_kwh", "12000"),
    ("declaration", "true"),
];

/// The good application.
pub fn good_application() -> Vec<(&'static str, &'static str)> {
    GOOD.to_vec()
}

/// The good application with one field changed.
pub fn changed<'a>(field: &'static str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    assert!(GOOD.iter().any(|(name, _)| *name == field), "{field}");
    GOOD.iter()
        .map(|(name, good)| (*name, if *name == field { value } else { *good }))
        .collect()
}
