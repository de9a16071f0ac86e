//! The accept loop: HTTP/1.1 with time-outs on headers and idle connections, limits on
//! connections and bodies, security headers on every answer, and a drain at shutdown.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use super::crowd::Crowd;
use super::posted::REQUEST_BYTES;
use super::proxy::{self, Network};
use super::stall::Stalling;
use super::tls::Tls;

/// Limits of the edge, and whom it believes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections open at once; further ones wait in the system's queue.
    pub connections: usize,
    /// Connections that one address may have open; for a further one that closes which has sent no
    /// whole request for longest. An IPv6 /64 is one address; trusted proxies have no such bound.
    pub connections_per_address: usize,
    /// Time to send all headers of a request, which also bounds an idle connection.
    pub header_timeout: Duration,
    /// Time for a whole answer, in which the body of its request must have come.
    pub answer_timeout: Duration,
    /// Time a write may wait for a client that reads nothing.
    pub write_timeout: Duration,
    /// Time open connections get to finish at shutdown.
    pub drain: Duration,
    /// Proxies whose word about a visitor's address and scheme counts.
    pub trusted_proxies: Arc<[Network]>,
    /// Speaks TLS itself.
    pub tls: Option<Tls>,
    /// Served by TLS, here or before: browsers are told to come no other way.
    pub secure: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            connections_per_address: 256,
            header_timeout: Duration::from_secs(20),
            answer_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(8),
            trusted_proxies: Arc::default(),
            tls: None,
            secure: false,
        }
    }
}

impl Limits {
    /// Connections that may be open from there.
    fn seats(&self, from: IpAddr) -> usize {
        match proxy::trusted(&self.trusted_proxies, from) {
            true => usize::MAX,
            false => self.connections_per_address,
        }
    }
}

/// A browser that came by TLS comes by nothing else for two years.
const STRICT_TRANSPORT: &str = "max-age=63072000";

/// No inline script or style, nothing from elsewhere, no frames, forms only to this site.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'; object-src 'none'";

fn layered(router: Router, limits: &Limits) -> Router {
    let header = |name: &'static str, value: &'static str| {
        SetResponseHeaderLayer::overriding(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    let unless_set = SetResponseHeaderLayer::if_not_present(
        HeaderName::from_static("cache-control"),
        HeaderValue::from_static("no-store"),
    );
    let strict = limits
        .secure
        .then(|| header("strict-transport-security", STRICT_TRANSPORT));
    router.layer(
        ServiceBuilder::new()
            .option_layer(strict)
            .layer(header("content-security-policy", CONTENT_SECURITY_POLICY))
            .layer(header("x-content-type-options", "nosniff"))
            .layer(header("x-frame-options", "DENY"))
            .layer(header("referrer-policy", "same-origin"))
            .layer(header("cross-origin-opener-policy", "same-origin"))
            .layer(unless_set)
            .layer(CompressionLayer::new())
            .layer(TimeoutLayer::with_status_code(
                StatusCode::GATEWAY_TIMEOUT,
                limits.answer_timeout,
            ))
            .layer(CatchPanicLayer::new())
            // What says itself that it is too large is refused with a page (`route`).
            .map_request(|request: Request<Body>| {
                request.map(|body| Body::new(Limited::new(body, REQUEST_BYTES)))
            }),
    )
}

/// Serves until `stop` resolves, then lets open requests finish.
///
/// # Errors
/// Gives the error of a listener that can no longer accept.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let router = layered(router, &limits);
    let places = Arc::new(Semaphore::new(limits.connections));
    let crowd = Arc::new(Crowd::default());
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => match place {
                Ok(place) => place,
                Err(_) => break,
            },
            () = &mut stop => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors or a connection reset in the queue: others may do better.
                    tracing::warn!(%error, "accept failed: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let from = peer.ip();
        let seat = crowd.admit(from, limits.seats(from));
        let waiter = seat.waiter();
        let proxies = Arc::clone(&limits.trusted_proxies);
        // Around the router, not in it: a layer is built into each route anew, some hundred
        // kilobytes for a connection.
        let router = router.clone();
        let service = tower::service_fn(move |mut request: Request<Incoming>| {
            let visitor = proxy::visitor(&proxies, from, request.headers());
            request.extensions_mut().insert(visitor);
            let (course, answer) = (waiter.begin(), router.clone().oneshot(request));
            async move {
                let answer = answer.await;
                drop(course);
                answer
            }
        });
        let stream = Stalling::new(stream, limits.write_timeout);
        let (watcher, tls) = (graceful.watcher(), limits.tls.clone());
        let patience = limits.header_timeout;
        tokio::spawn(async move {
            tokio::select! {
                ended = greet(stream, tls, service, patience, watcher) => if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended: {error}");
                },
                () = seat.must_leave() => {}
            }
            drop((seat, place));
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(limits.drain) => tracing::warn!("connections cut after the drain"),
    }
    Ok(())
}

/// The pages as one connection asks for them.
trait Pages:
    Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> Pages for S where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// Greets a client by TLS where that is spoken, and answers its requests.
async fn greet<S>(
    stream: S,
    tls: Option<Tls>,
    service: impl Pages,
    patience: Duration,
    watcher: Watcher,
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(tls) = tls else {
        return converse(stream, service, patience, watcher).await;
    };
    match tokio::time::timeout(patience, tls.greet(stream)).await {
        Ok(Ok(stream)) => converse(stream, service, patience, watcher).await,
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the client does not finish its greeting".to_owned()),
    }
}

/// Answers the requests of one connection.
async fn converse<S>(
    stream: S,
    service: impl Pages,
    patience: Duration,
    watcher: Watcher,
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    watcher
        .watch(connection)
        .await
        .map_err(|error| error.to_string())
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
