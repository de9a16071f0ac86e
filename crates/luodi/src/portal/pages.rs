//! The home page and the regions' pages.

use askama::Template;
use axum::extract::{Path, State};
use vocab::RegionCode;
use vocab::region::{self, Level, Region};

use super::Home;
use crate::access::Rule;
use crate::refusal::Refusal;
use crate::web::{Answer, App, Page, Route, Visit, WebError, filters, get};

/// Every route of this domain.
pub fn routes() -> Vec<Route> {
    vec![
        get("/", Rule::Public, home),
        get("/regions/{code}", Rule::Public, region_page),
    ]
}

#[derive(Template)]
#[template(path = "portal/home.html")]
struct HomePage {
    page: Page,
    home: Home,
    articles_href: String,
    regions: Vec<&'static Region>,
}

/// The regions directly within one that have a page.
fn within(code: RegionCode) -> Vec<&'static Region> {
    region::children(code)
        .iter()
        .copied()
        .filter(|region| region.level != Level::Town)
        .collect()
}

async fn home(State(app): State<App>, visit: Visit) -> Answer {
    let code = app.site.region;
    let (today, lang) = (visit.today(), visit.lang);
    let home = app
        .store
        .read(move |q| Home::gather(&**q, code, today, lang))
        .await?;
    let page = Page::new(&app, &visit, visit.lang.text("portal.title"));
    visit.show(&HomePage {
        page,
        home,
        articles_href: "/articles".to_owned(),
        regions: within(code),
    })
}

#[derive(Template)]
#[template(path = "portal/region.html")]
struct RegionPage {
    page: Page,
    region: &'static Region,
    full_name: String,
    home: Home,
    articles_href: String,
    regions: Vec<&'static Region>,
}

async fn region_page(State(app): State<App>, visit: Visit, Path(code): Path<String>) -> Answer {
    let found = RegionCode::parse(&code).ok().and_then(region::find);
    let found = found.filter(|found| {
        found.level != Level::Town && region::is_within(found.code, app.site.region)
    });
    let missing = || {
        WebError::from(Refusal::not_found("本市没有这个地区，请从首页选择。")).with_visit(&visit)
    };
    let region = found.ok_or_else(missing)?;
    let code = region.code;
    let (today, lang) = (visit.today(), visit.lang);
    let home = app
        .store
        .read(move |q| Home::gather(&**q, code, today, lang))
        .await?;
    let full_name = region::full_name(code).unwrap_or_default();
    let page = Page::new(&app, &visit, lang.region(code));
    visit.show(&RegionPage {
        page,
        region,
        full_name,
        home,
        articles_href: format!("/articles?region={code}"),
        regions: within(code),
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::article::{Category, Piece, State};
    use crate::ids::ArticleId;
    use crate::portal::{OpenItem, RunningNotice};
    use crate::web::Lang;

    fn full() -> Home {
        let piece = |text: &str| {
            vec![Piece {
                text: text.to_owned(),
                hit: false,
            }]
        };
        Home {
            open_items: vec![OpenItem {
                href: "/items/1".to_owned(),
                name: "光伏补贴".to_owned(),
                support: "按并网时间分两档".to_owned(),
                region: "永嘉县".to_owned(),
                light: "amber",
                words: "还有 9 天".to_owned(),
            }],
            articles: vec![crate::article::queries::Line {
                id: ArticleId(uuid::Uuid::from_u128(7)),
                title: piece("<题>"),
                tag: None,
                region: "永嘉县",
                region_code: RegionCode::parse("330324").ok(),
                category: Category::News,
                summary: piece("摘要"),
                published_on: date(2026, 11, 20),
                state: State::Published,
            }],
            notices: vec![RunningNotice {
                href: "/notices/1".to_owned(),
                title: "拟补名单".to_owned(),
                ends_on: date(2026, 11, 27),
                entries: 52,
                parties: 51,
            }],
            paid_this_year: None,
        }
    }

    struct Words(Lang);

    impl Words {
        fn t(&self, key: &str) -> String {
            self.0.text(key)
        }

        fn region(&self, code: &RegionCode) -> String {
            self.0.region(*code)
        }

        fn day(&self, day: &jiff::civil::Date) -> String {
            self.0.day(*day)
        }
    }

    #[derive(Template)]
    #[template(
        ext = "html",
        source = "{% import \"ui/kit.html\" as ui %}{% include \"portal/open_items.html\" %}\
                  {% include \"portal/articles.html\" %}{% include \"portal/notices.html\" %}\
                  {% include \"portal/regions.html\" %}"
    )]
    struct Sections {
        page: Words,
        home: Home,
        articles_href: &'static str,
        regions: Vec<&'static Region>,
    }

    fn render(home: Home, lang: Lang) -> String {
        let code = RegionCode::parse("330300").unwrap();
        Sections {
            page: Words(lang),
            home,
            articles_href: "/articles",
            regions: within(code),
        }
        .render()
        .unwrap()
    }

    #[test]
    fn sections_are_there_where_their_domain_tells_something() {
        let marks = [
            "/items/1",
            "/notices/1",
            "&#60;题&#62;",
            "datetime=\"2026-11-27\"",
            "/regions/330382",
        ];
        let shown = render(full(), Lang::ZH);
        for mark in marks {
            assert!(shown.contains(mark), "{mark}\n{shown}");
        }
        let empty = render(Home::default(), Lang::EN);
        for mark in ["id=\"open-items\"", "id=\"notices\""] {
            assert!(shown.contains(mark) && !empty.contains(mark), "{mark}");
        }
        assert!(empty.contains("Latest news"), "{empty}");
        let english = render(full(), Lang::EN);
        for mark in ["Yueqing City", "20 Nov 2026", "lang=\"zh-CN\">拟补名单"] {
            assert!(english.contains(mark), "{mark}\n{english}");
        }
    }
}
