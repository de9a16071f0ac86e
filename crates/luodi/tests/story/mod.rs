//! The story of a subsidy in a real browser.
