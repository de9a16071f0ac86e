//! TLS at the edge: for an installation without a proxy before it.

use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

/// The server's certificate and key, ready to greet clients.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls(..)")
    }
}

impl Tls {
    /// Reads a certificate chain and its private key (PEM). TLS 1.2 and 1.3, HTTP/1.1.
    ///
    /// # Errors
    /// What to mend, in Chinese: a file that cannot be read, holds none, or a key that does not
    /// belong to the certificate.
    pub fn load(chain: &Path, key: &Path) -> Result<Self, String> {
        let wrong = |path: &Path, what: &str, error: &dyn std::fmt::Display| {
            format!("{}：不是可用的{what}（PEM）：{error}", path.display())
        };
        let certificates: Result<Vec<_>, _> =
            CertificateDer::pem_file_iter(chain).and_then(Iterator::collect);
        let certificates = certificates.map_err(|error| wrong(chain, "证书", &error))?;
        if certificates.is_empty() {
            return Err(format!("{}：没有证书（PEM）。", chain.display()));
        }
        let private =
            PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, "私钥", &error))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map(|config| config.with_no_client_auth())
            .and_then(|config| config.with_single_cert(certificates, private));
        let mut config = config.map_err(|error| {
            format!(
                "证书 {} 与私钥 {} 不能一起使用：{error}",
                chain.display(),
                key.display()
            )
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    /// Greets a client.
    ///
    /// # Errors
    /// What the other side did wrong.
    pub(super) async fn greet<S>(&self, stream: S) -> std::io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.acceptor.accept(stream).await
    }
}
