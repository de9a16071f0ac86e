//! The options of `luodi serve` that name an identity provider.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::oidc::{Options, Provider, Settings};

/// Log-in at an identity provider (OpenID Connect), for accounts whose owner has linked them.
#[derive(Clone, Debug, Default, Args)]
pub struct Oidc {
    /// The identity provider's address (issuer), https.
    #[arg(long, env = "LUODI_OIDC_ISSUER", value_name = "URL")]
    pub oidc_issuer: Option<String>,
    /// The id of this program at the provider.
    #[arg(long, env = "LUODI_OIDC_CLIENT", value_name = "ID")]
    pub oidc_client: Option<String>,
    /// A file with the secret that goes with it.
    #[arg(long, env = "LUODI_OIDC_SECRET_FILE", value_name = "FILE")]
    pub oidc_secret_file: Option<PathBuf>,
    /// Where the provider sends browsers back to: this site's address as they see it, with
    /// /login/provider/return.
    #[arg(long, env = "LUODI_OIDC_REDIRECT", value_name = "URL")]
    pub oidc_redirect: Option<String>,
    /// What people call the provider, such as 浙政钉.
    #[arg(long, env = "LUODI_OIDC_NAME", value_name = "NAME")]
    pub oidc_name: Option<String>,
    /// The claim of the token that names a person for ever; sub where none is given.
    #[arg(long, env = "LUODI_OIDC_CLAIM", value_name = "CLAIM")]
    pub oidc_claim: Option<String>,
    /// Believe the provider where its token says that a second factor was shown: no code is asked
    /// for then.
    #[arg(long)]
    pub oidc_second_factor: bool,
}

impl Oidc {
    /// The provider; none where none is named.
    ///
    /// # Errors
    /// What to mend, in Chinese and English.
    pub(super) fn provider(&self) -> Result<Option<Arc<Provider>>, String> {
        let secret = self.oidc_secret_file.as_ref().map(|path| {
            let shown = path.display();
            std::fs::read_to_string(path).map_err(|error| format!("--oidc-secret-file {shown}：无法读取：{error}。请核对路径和权限。 The file cannot be read."))
        });
        let secret = secret.transpose()?;
        let settings = Settings::read(&Options {
            issuer: self.oidc_issuer.as_deref(),
            client: self.oidc_client.as_deref(),
            secret: secret.as_deref(),
            redirect: self.oidc_redirect.as_deref(),
            name: self.oidc_name.as_deref(),
            claim: self.oidc_claim.as_deref(),
            second_factor: self.oidc_second_factor,
        })?;
        settings
            .map(|settings| Provider::new(settings).map(Arc::new))
            .transpose()
    }
}
