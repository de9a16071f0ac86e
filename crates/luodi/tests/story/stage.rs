//! The stage of the story: a city served over TCP in this process, with a clock that the story sets,
//! a browser before it, and the papers people hand in.

use std::path::PathBuf;

use jiff::Timestamp;
use luodi::fund;
use luodi::web::{App, Clock, Limits, mount, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::browser::{Browser, Screen};
use crate::support::{Ground, morning, served};

/// A served city and a browser that shows it.
pub struct Stage {
    pub browser: Browser,
    app: App,
    clock: Clock,
    papers: tempfile::TempDir,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
    _ground: Ground,
}

impl Stage {
    pub async fn open(screen: Screen) -> Self {
        let ground = Ground::demo();
        let clock = Clock::fixed(morning());
        let app = served(&ground, &clock);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = mount(&app, luodi::router::routes());
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(listener, router, Limits::default(), async {
            // Told, or the story failed: either way it is over.
            let _ = stopped.await;
        }));
        let papers = tempfile::tempdir().unwrap();
        Self {
            browser: Browser::open(screen, &address).await,
            app,
            clock,
            papers,
            stop,
            served,
            _ground: ground,
        }
    }

    /// Whoever is logged in leaves; time goes on until `at`, and the worker does what became due.
    pub async fn later(&self, at: &str) {
        self.browser.log_out().await;
        self.clock.set(at.parse::<Timestamp>().unwrap());
        luodi::work::drain(&self.app).await.unwrap();
    }

    /// What `luodi ledger verify` would say.
    pub async fn verify_ledger(&self) {
        let found = self.app.store.read(|q| fund::verify(&**q)).await.unwrap();
        assert!(found.is_ok(), "{found:?}");
    }

    /// The end: the browser, the server and the store go.
    pub async fn close(self) {
        self.browser.close().await;
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
        self.app.store.shutdown();
    }

    fn paper(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.papers.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// A small PDF.
    pub fn pdf(&self, name: &str) -> PathBuf {
        let text = format!(
            "%PDF-1.4\n% {name}\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n\
             2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\nendobj\n\
             trailer\n<< /Size 3 /Root 1 0 R >>\n%%EOF\n"
        );
        self.paper(name, text.as_bytes())
    }

    /// An archive that calls itself something else.
    pub fn zip(&self, name: &str) -> PathBuf {
        let mut bytes = b"PK\x03\x04\x14\x00\x00\x00\x00\x00".to_vec();
        bytes.resize(64, 0);
        self.paper(name, &bytes)
    }

    /// A picture of one dot.
    pub fn png(&self, name: &str) -> PathBuf {
        let bytes: &[u8] = &[
            0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52,
            0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 0x0d, 0x49,
            0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0xf8, 0xcf, 0xc0, 0xf0, 0x1f, 0, 5, 0, 1, 0xff,
            0x56, 0xc7, 0x2f, 0x0d, 0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
        ];
        // The same picture twice would be one paper; what follows its end is no part of it.
        self.paper(name, &[bytes, name.as_bytes()].concat())
    }

    /// A bank's reply.
    pub fn reply(&self, text: &str) -> PathBuf {
        self.paper("回单.csv", text.as_bytes())
    }
}
