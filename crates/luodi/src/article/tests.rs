//! Tests of articles in a store: commands, import and export, lists.

use jiff::Timestamp;
use jiff::civil::date;
use vocab::RegionCode;

use super::queries::{self, Filter};
use super::*;
use crate::access::Roles;
use crate::ids::{AccountId, ArticleId};
use crate::refusal::{Error, Kind};
use crate::store::testing::TemporaryStore;
use crate::store::{Command, Store, StoreError};

fn home() -> RegionCode {
    code("330300")
}

fn code(text: &str) -> RegionCode {
    RegionCode::parse(text).unwrap()
}

fn now() -> Timestamp {
    "2026-11-23T02:00:00Z".parse().unwrap()
}

fn open() -> TemporaryStore {
    Store::open_temporary(now()).unwrap()
}

fn console() -> Actor {
    Actor::console("op", home())
}

fn editor(region: &str) -> Actor {
    Actor {
        kind: ActorKind::Account(AccountId(uuid::Uuid::from_u128(1))),
        name: "小编".to_owned(),
        roles: Roles::from_iter([Role::Editor]),
        ..Actor::system(code(region))
    }
}

fn text(title: &str, region: Option<&str>, day: i8) -> Text {
    Text {
        title: title.to_owned(),
        tag: None,
        region: region.map(code),
        category: Category::News,
        published_on: date(2026, 11, day),
        body: format!("{title}的正文。"),
    }
}

fn write<T: Send + 'static>(
    store: &Store,
    run: impl Fn(&crate::store::Tx<'_>) -> crate::refusal::Result<T> + Send + Sync + 'static,
) -> crate::refusal::Result<T> {
    store.write_blocking(Command::new("test", now()), run)
}

fn add(store: &Store, actor: &Actor, text: Text) -> ArticleId {
    let actor = actor.clone();
    write(store, move |tx| {
        let id = create(tx, &actor, &text, false)?;
        publish(tx, &actor, id, 1)?;
        Ok(id)
    })
    .unwrap()
}

fn titles(store: &Store, query: &str, actor: Option<&Actor>) -> Vec<String> {
    let (filter, wrong) = Filter::read(query);
    assert_eq!(wrong, []);
    let lines = store.read_blocking(|q| -> Result<_, StoreError> {
        let lines = queries::list(q, &filter, actor, 50, 0)?;
        assert_eq!(queries::count(q, &filter, actor)?, lines.len() as u64);
        Ok(lines)
    });
    lines
        .unwrap()
        .into_iter()
        .map(|line| line.title.into_iter().map(|piece| piece.text).collect())
        .collect()
}

fn exported(store: &Store, format: Format) -> String {
    let mut out = Vec::new();
    store
        .read_blocking(|q| export(q, format, date(2026, 11, 23), &mut out))
        .unwrap();
    String::from_utf8(out).unwrap()
}

const FILE: &str = "-\n【乐清市招商】题一\n前言。 一、甲 乙。\n2025-07-23\n\n-\n题二\n正文二\n2025-07-23\n\
                    -\n【温州招商】题三\n正文三\n2025-07-19\n点我投稿\n- 联系我们\n";

fn import_text(store: &Store, text: &str) -> Report {
    import(store, &console(), home(), now(), text.as_bytes()).unwrap()
}

#[test]
fn a_second_import_changes_nothing() {
    let store = open();
    let first = import_text(&store, FILE);
    assert_eq!(
        first,
        Report {
            ok: true,
            counts: Counts {
                blocks: 3,
                created: 3,
                unchanged: 0
            },
            errors: vec![],
            foot_lines: 2
        }
    );
    let events = |store: &Store| -> i64 {
        let count = "SELECT COUNT(*) FROM audit_event";
        store
            .read_blocking(|q| q.row(count, crate::params![], |row| row.get::<i64>(0)))
            .unwrap()
    };
    let before = events(&store);
    let second = import_text(&store, FILE);
    assert_eq!(
        second.counts,
        Counts {
            blocks: 3,
            created: 0,
            unchanged: 3
        }
    );
    assert_eq!(
        import_text(&store, &FILE.replace('\n', "\r\n"))
            .counts
            .created,
        0
    );
    assert_eq!(events(&store), before);
    assert_eq!(titles(&store, "", None), ["题一", "题二", "题三"]);
}

#[test]
fn exports_give_the_blocks_back() {
    let store = open();
    import_text(&store, FILE);
    add(&store, &editor("330300"), text("自写", None, 1));
    let blocks = FILE.split("点我投稿").next().unwrap();
    assert_eq!(exported(&store, Format::Source), blocks);
    let json: serde_json::Value = serde_json::from_str(&exported(&store, Format::Json)).unwrap();
    assert_eq!(
        json,
        serde_json::json!([
            {"title": "自写", "tag": null, "region": null, "date": "2026-11-01", "body": "自写的正文。"},
            {"title": "题一", "tag": "乐清市招商", "region": "330382", "date": "2025-07-23", "body": "前言。 一、甲 乙。"},
            {"title": "题二", "tag": null, "region": null, "date": "2025-07-23", "body": "正文二"},
            {"title": "题三", "tag": "温州招商", "region": "330300", "date": "2025-07-19", "body": "正文三"},
        ])
    );
    insta::assert_snapshot!(exported(&store, Format::Markdown), @r"
    # 自写

    2026-11-01

    自写的正文。

    ---

    # 【乐清市招商】题一

    2025-07-23

    前言。

    ## 一、甲

    乙。

    ---

    # 题二

    2025-07-23

    正文二

    ---

    # 【温州招商】题三

    2025-07-19

    正文三
    ");
}

#[test]
fn equal_blocks_of_a_file_and_missing_line_ends_come_back() {
    let store = open();
    let block = "-\n题\n文\n2025-07-23\n";
    let file = format!("{block}{block}-\n末\n文\n2025-07-22");
    assert_eq!(import_text(&store, &file).counts.created, 3);
    assert_eq!(import_text(&store, &file).counts.created, 0);
    assert_eq!(exported(&store, Format::Source), file);
    assert_eq!(
        import_text(&store, "-\n又\n文\n2025-07-21\n")
            .counts
            .created,
        1
    );
    assert_eq!(
        exported(&store, Format::Source),
        format!("{file}\n-\n又\n文\n2025-07-21\n")
    );
}

#[test]
fn a_broken_file_writes_nothing() {
    let store = open();
    let report = import_text(&store, "-\n题\n文\n2025-07-23\n-\n题二\n文\n2025-02-29\n");
    assert!(!report.ok);
    assert_eq!(report.counts, Counts::default());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["errors"][0]["line"], 8);
    assert_eq!(json["errors"][0]["field"], "date");
    assert_eq!(titles(&store, "", None), Vec::<String>::new());
    let refused = import(&store, &editor("330382"), home(), now(), FILE.as_bytes());
    assert!(matches!(refused, Err(Error::Refused(it)) if it.kind == Kind::Forbidden));
}

#[test]
fn a_long_import_is_written_in_chunks_and_keeps_its_order() {
    let store = open();
    let file: String = (0..1_201)
        .map(|n| format!("-\n题{n}\n文{n}\n2025-07-23\n"))
        .collect();
    assert_eq!(import_text(&store, &file).counts.created, 1_201);
    assert_eq!(exported(&store, Format::Source), file);
}

/// The real file, where it stands beside the repository.
#[test]
fn the_source_comes_back_byte_for_byte() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/data/wenzhou-articles-2025-07.txt"
    );
    let Ok(bytes) = std::fs::read(path) else {
        eprintln!("skipped: there is no {path}");
        return;
    };
    let store = open();
    let report = import(&store, &console(), home(), now(), &bytes).unwrap();
    assert_eq!(
        report.counts,
        Counts {
            blocks: 10,
            created: 10,
            unchanged: 0
        }
    );
    assert_eq!(
        import(&store, &console(), home(), now(), &bytes)
            .unwrap()
            .counts
            .unchanged,
        10
    );
    let source = exported(&store, Format::Source);
    assert!(bytes.starts_with(source.as_bytes()) && bytes.len() - source.len() < 100);
    let json: Vec<serde_json::Value> =
        serde_json::from_str(&exported(&store, Format::Json)).unwrap();
    let regions: Vec<&str> = json
        .iter()
        .map(|it| it["region"].as_str().unwrap_or(""))
        .collect();
    let city = "330300";
    assert_eq!(
        regions,
        [
            city, "", city, "330382", city, "", "330324", city, city, city
        ]
    );
    assert_eq!(
        titles(&store, "q=%E7%B3%96%E5%B0%BF%E7%97%85", None).len(),
        1
    );
    let bodies: usize = json
        .iter()
        .map(|it| reading::split(it["body"].as_str().unwrap()).len())
        .sum();
    assert!(bodies > 100, "{bodies}");
}

#[test]
fn lists_are_filtered() {
    let store = open();
    let mut county = text("永嘉光伏公示", Some("330324"), 3);
    county.category = Category::Policy;
    add(&store, &console(), county);
    add(&store, &console(), text("市级大会", Some("330300"), 5));
    add(&store, &console(), text("全市 100% 覆盖", None, 4));
    add(&store, &console(), text("鹿城", Some("330302"), 1));
    let check = |query: &str, expected: &[&str]| {
        assert_eq!(titles(&store, query, None), expected, "{query}")
    };
    check("", &["市级大会", "全市 100% 覆盖", "永嘉光伏公示", "鹿城"]);
    check(
        "region=330300",
        &["市级大会", "全市 100% 覆盖", "永嘉光伏公示", "鹿城"],
    );
    check("region=330324", &["永嘉光伏公示"]);
    check("category=policy", &["永嘉光伏公示"]);
    check(
        "from=2026-11-03&to=2026-11-04",
        &["全市 100% 覆盖", "永嘉光伏公示"],
    );
    check("q=%E5%85%89%E4%BC%8F", &["永嘉光伏公示"]);
    check("q=%E6%B0%B8%E5%98%89+%E5%85%AC%E7%A4%BA", &["永嘉光伏公示"]);
    check("q=%25+%E8%A6%86", &["全市 100% 覆盖"]);
    check("q=_", &[]);
    check(
        "page=2&unknown=1",
        &["市级大会", "全市 100% 覆盖", "永嘉光伏公示", "鹿城"],
    );
    assert_eq!(
        titles(&store, "", Some(&editor("330324"))),
        ["永嘉光伏公示"]
    );
    assert_eq!(titles(&store, "", Some(&editor("330300"))).len(), 4);
}

#[test]
fn wrong_filters_are_named_and_filter_nothing() {
    let (filter, wrong) =
        Filter::read("from=2026-02-30&to=x&region=999999&category=zzz&state=no&q=");
    assert!(filter.is_empty());
    let fields: Vec<&str> = wrong.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["from", "to", "region", "category", "state"]);
    assert_eq!(Filter::read("from=2026-02-02&to=2026-02-01").1.len(), 1);
}

#[test]
fn editing_checks_version_region_and_state() {
    let store = open();
    let city = editor("330300");
    let id = add(&store, &city, text("旧题", Some("330324"), 3));
    let edited = |actor: Actor, version: i64, to: Text| {
        let done = write(&store, move |tx| edit(tx, &actor, id, version, &to));
        done.map_err(|error| match error {
            Error::Refused(refusal) => refusal.code,
            Error::Store(error) => panic!("{error}"),
        })
    };
    assert_eq!(
        edited(city.clone(), 1, text("新题", Some("330324"), 3)),
        Err("article-changed")
    );
    assert_eq!(
        edited(editor("330302"), 2, text("新题", Some("330302"), 3)),
        Err("article-region")
    );
    assert_eq!(
        edited(editor("330324"), 2, text("新题", None, 3)),
        Err("article-region")
    );
    assert_eq!(
        edited(editor("330324"), 2, text("新题", Some("330324"), 3)),
        Ok(())
    );
    assert_eq!(titles(&store, "", None), ["新题"]);
    let actor = city.clone();
    let twice = write(&store, move |tx| publish(tx, &actor, id, 3));
    assert!(matches!(twice, Err(Error::Refused(it)) if it.code == "article-state"));
    write(&store, move |tx| unpublish(tx, &city, id, 3)).unwrap();
    assert_eq!(
        titles(&store, "state=published", None),
        Vec::<String>::new()
    );
    assert_eq!(exported(&store, Format::Json), "[\n]\n");
    let none = Actor {
        roles: Roles::default(),
        ..editor("330300")
    };
    assert!(!may_edit(&none, Some(home())));
}

#[test]
fn typed_articles_are_checked_field_by_field() {
    let wrong = Typed {
        region: "999999".into(),
        published_on: "2026-02-30".into(),
        ..Typed::default()
    };
    let refusal = wrong.check().unwrap_err();
    let broken: Vec<(&str, &str)> = refusal
        .fields
        .iter()
        .map(|error| (error.field.as_str(), &*error.rule))
        .collect();
    let expected = [
        ("title", "required"),
        ("region", "region"),
        ("category", "choice"),
        ("published_on", "date-impossible"),
        ("body", "required"),
    ];
    assert_eq!(broken, expected);
    let good = Typed {
        title: " 题 ".into(),
        tag: "【温州招商】".into(),
        category: "news".into(),
        published_on: "2026-11-23".into(),
        body: "文".into(),
        ..Typed::default()
    };
    let text = good.check().unwrap();
    assert_eq!(
        (text.title.as_str(), text.tag.as_deref()),
        ("题", Some("温州招商"))
    );
}

#[test]
fn neighbours_follow_the_list() {
    let store = open();
    let ids: Vec<ArticleId> = [("甲", 1), ("乙", 2), ("丙", 2)]
        .map(|(title, day)| add(&store, &console(), text(title, None, day)))
        .into();
    let near = |id: ArticleId| {
        let found = store.read_blocking(|q| -> Result<_, StoreError> {
            let article = queries::find(q, id)?.unwrap();
            queries::neighbours(q, &article, date(2026, 11, 23))
        });
        let (newer, older) = found.unwrap();
        (newer.map(|it| it.title), older.map(|it| it.title))
    };
    let list = titles(&store, "", None);
    let middle = ids
        .iter()
        .find(|id| near(**id).0.is_some() && near(**id).1.is_some())
        .unwrap();
    assert_eq!(
        near(*middle),
        (Some(list[0].clone()), Some(list[2].clone()))
    );
    assert_eq!(near(ids[0]), (Some(list[1].clone()), None));
}

#[test]
fn the_demonstration_s_texts_go_through_the_commands() {
    let store = open();
    for article in demo_articles() {
        let text = article.text(date(2026, 11, 23));
        write(&store, move |tx| {
            create(tx, &Actor::system(home()), &text, true)
        })
        .unwrap();
    }
    assert_eq!(
        titles(&store, "state=draft", None).len(),
        demo_articles().len()
    );
}
