//! One question to the provider: a connection of its own, a bound on time and size, and no redirect
//! is ever followed.
//!
//! It lacks proxies, cookies and kept connections: a log-in asks once or twice.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::{Method, Request as HttpRequest, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::Failure;
use super::url::Address;

/// The time for one answer, from the name's resolution to the last byte.
const PATIENCE: Duration = Duration::from_secs(8);
/// Questions under way at once; a provider that hangs holds no more.
const AT_ONCE: usize = 32;

/// A question.
pub(super) struct Request<'a> {
    pub(super) to: &'a Address,
    pub(super) authorization: Option<String>,
    /// What is posted; nothing is read with GET.
    pub(super) form: Option<String>,
    /// The longest answer that is read.
    pub(super) at_most: usize,
}

/// An answer: 200 or an error of the protocol.
pub(super) struct Reply {
    pub(super) ok: bool,
    pub(super) body: Vec<u8>,
}

/// Asks the provider.
pub(super) struct Client {
    tls: Option<TlsConnector>,
    places: Semaphore,
    /// The time for one answer.
    pub(super) patience: Duration,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client(..)")
    }
}

impl Client {
    /// One that speaks no TLS, for a provider on this machine.
    pub(super) fn in_plain() -> Self {
        Self {
            tls: None,
            places: Semaphore::new(AT_ONCE),
            patience: PATIENCE,
        }
    }

    /// One that trusts the certificates which the machine trusts (`SSL_CERT_FILE` names others).
    ///
    /// # Errors
    /// What to mend, where there are none.
    pub(super) fn trusting_the_machine() -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let (good, _) =
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if good == 0 {
            return Err("本机没有受信任的根证书，不能连接统一身份认证（--oidc-issuer）。请安装 ca-certificates，或用环境变量 SSL_CERT_FILE 指明根证书文件。 This machine trusts no certificate: install ca-certificates, or name a file in SSL_CERT_FILE.".to_owned());
        }
        Self::trusting(roots)
    }

    /// One that trusts these.
    pub(super) fn trusting(roots: RootCertStore) -> Result<Self, String> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: Some(TlsConnector::from(Arc::new(config))),
            places: Semaphore::new(AT_ONCE),
            patience: PATIENCE,
        })
    }

    /// Asks, and reads the answer.
    ///
    /// # Errors
    /// [`Failure::Down`]: no answer in time, one too long, a redirect.
    pub(super) async fn ask(&self, request: Request<'_>) -> Result<Reply, Failure> {
        let host = request.to.authority().to_owned();
        let down = |what: String| Failure::Down(format!("{host}: {what}"));
        let Ok(_place) = self.places.try_acquire() else {
            return Err(down("too many questions wait for it".to_owned()));
        };
        match tokio::time::timeout(self.patience, self.converse(request)).await {
            Ok(answer) => answer.map_err(down),
            Err(_) => Err(down(format!("no answer in {:?}", self.patience))),
        }
    }

    async fn converse(&self, request: Request<'_>) -> Result<Reply, String> {
        let (to, at_most) = (request.to, request.at_most);
        let stream = TcpStream::connect((to.host(), to.port())).await;
        let stream = stream.map_err(|error| error.to_string())?;
        let request = written(request)?;
        match (&self.tls, to.is_secure()) {
            (Some(tls), true) => {
                let name = ServerName::try_from(to.host().to_owned());
                let name = name.map_err(|error| error.to_string())?;
                let stream = tls.connect(name, stream).await;
                exchange(stream.map_err(|error| error.to_string())?, request, at_most).await
            }
            (None, false) => exchange(stream, request, at_most).await,
            // Never in plain where it began with TLS, and the other way round.
            _ => Err("an address of another kind than the issuer's".to_owned()),
        }
    }
}

fn written(request: Request<'_>) -> Result<HttpRequest<Body>, String> {
    let method = match request.form {
        Some(_) => Method::POST,
        None => Method::GET,
    };
    let mut head = HttpRequest::builder()
        .method(method)
        .uri(request.to.target())
        .header(HOST, request.to.authority())
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, "luodi");
    if let Some(authorization) = request.authorization {
        head = head.header(AUTHORIZATION, authorization);
    }
    let made = match request.form {
        Some(form) => head
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form)),
        None => head.body(Body::empty()),
    };
    made.map_err(|error| error.to_string())
}

async fn exchange<S>(stream: S, request: HttpRequest<Body>, at_most: usize) -> Result<Reply, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    // It goes on while the answer is read, and ends with it.
    let connection = async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "provider: connection ended: {error}");
        }
        std::future::pending::<()>().await;
    };
    let answer = async {
        let response = sender.send_request(request).await;
        let response = response.map_err(|error| error.to_string())?;
        let status = response.status();
        let refused = matches!(
            status,
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        );
        if status != StatusCode::OK && !refused {
            return Err(format!("status {}", status.as_u16()));
        }
        let body = Limited::new(response.into_body(), at_most).collect().await;
        let body = body.map_err(|error| error.to_string())?;
        Ok(Reply {
            ok: status == StatusCode::OK,
            body: body.to_bytes().into(),
        })
    };
    tokio::select! {
        answer = answer => answer,
        () = connection => Err("connection ended".to_owned()),
    }
}
