//! pages
pub fn routes() -> Vec<crate::web::Route> {
    Vec::new()
}
