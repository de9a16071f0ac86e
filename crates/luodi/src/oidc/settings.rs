//! What the operator says of the provider, and whether it can work.

use super::url::Address;

/// Where the provider sends browsers back to.
pub const RETURN: &str = "/login/provider/return";
/// The longest secret of a program at a provider.
const LONGEST_SECRET: usize = 1_024;
/// What the provider is called where the operator gives no name.
const NAME: &str = "统一身份认证";

/// The provider, and this program's place at it.
#[derive(Clone)]
pub struct Settings {
    pub(super) issuer: Address,
    pub(super) client: String,
    pub(super) redirect: String,
    pub(super) name: String,
    pub(super) claim: String,
    pub(super) second_factor: bool,
    secret: String,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (issuer, client) = (self.issuer.as_str(), &self.client);
        write!(f, "Settings({issuer}, {client}, ..)")
    }
}

/// The options as typed.
#[derive(Clone, Debug, Default)]
pub struct Options<'a> {
    /// The provider's address.
    pub issuer: Option<&'a str>,
    /// The program's name at the provider.
    pub client: Option<&'a str>,
    /// The program's secret, as its file holds it.
    pub secret: Option<&'a str>,
    /// The address of [`RETURN`] as browsers reach it.
    pub redirect: Option<&'a str>,
    /// What people call the provider.
    pub name: Option<&'a str>,
    /// The claim that names a person; `sub` where none is given.
    pub claim: Option<&'a str>,
    /// The provider is believed where it says that a second factor was shown.
    pub second_factor: bool,
}

impl Settings {
    /// Reads the options; none where no provider is named.
    ///
    /// # Errors
    /// What to mend, in Chinese and English.
    pub fn read(options: &Options<'_>) -> Result<Option<Self>, String> {
        let Options {
            issuer,
            client,
            secret,
            redirect,
            ..
        } = *options;
        let (issuer, client, secret, redirect) = match (issuer, client, secret, redirect) {
            (Some(issuer), Some(client), Some(secret), Some(redirect)) => {
                (issuer, client, secret, redirect)
            }
            (None, None, None, None) if is_silent(options) => return Ok(None),
            _ => return Err("统一身份登录的选项须一起给出：--oidc-issuer、--oidc-client、--oidc-secret-file、--oidc-redirect。请补全，或全部去掉。 The options --oidc-issuer, --oidc-client, --oidc-secret-file and --oidc-redirect go together: give all four, or no --oidc option at all.".to_owned()),
        };
        let issuer = Address::parse(issuer)
            .filter(|address| !address.as_str().contains('?'))
            .ok_or_else(|| format!("--oidc-issuer {issuer}：须是 https 地址（仅本机测试可用 http），不带参数。 The issuer is an https address without a query; plain http only on this machine."))?;
        if client.is_empty() || client.len() > 255 || !plain(client) {
            return Err("--oidc-client：须是 1 至 255 个字符的客户端编号。 The client id has 1 to 255 visible characters.".to_owned());
        }
        let redirect = Address::parse(redirect)
            .filter(|address| address.path() == RETURN && address.target() == RETURN)
            .ok_or_else(|| format!("--oidc-redirect {redirect}：须是本系统的外部地址加 {RETURN}，用 https（仅本机测试可用 http），例如 https://luodi.example{RETURN}。 The redirect is this site's own address with {RETURN}, over https."))?;
        Ok(Some(Self {
            issuer,
            client: client.to_owned(),
            redirect: redirect.as_str().to_owned(),
            name: called(options.name)?,
            claim: claim(options.claim)?,
            second_factor: options.second_factor,
            secret: read_secret(secret)?,
        }))
    }

    pub(super) fn secret(&self) -> &str {
        &self.secret
    }
}

/// Nothing is said of a provider.
fn is_silent(options: &Options<'_>) -> bool {
    options.name.is_none() && options.claim.is_none() && !options.second_factor
}

fn plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn called(name: Option<&str>) -> Result<String, String> {
    let name = name.unwrap_or(NAME).trim();
    if (1..=20).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
        return Ok(name.to_owned());
    }
    Err(
        "--oidc-name：须是 1 至 20 个字的名称，例如 浙政钉。 The name has 1 to 20 characters."
            .to_owned(),
    )
}

fn claim(claim: Option<&str>) -> Result<String, String> {
    let claim = claim.unwrap_or("sub");
    // What a token says anyway names no person.
    let others = ["iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "amr"];
    let good = (1..=60).contains(&claim.len())
        && claim
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if good && !others.contains(&claim) {
        return Ok(claim.to_owned());
    }
    Err(format!(
        "--oidc-claim {claim}：须是令牌中标识个人的字段名，例如 sub。 The claim is the name of a field that names a person, such as sub."
    ))
}

fn read_secret(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST_SECRET || !plain(text) {
        return Err(format!(
            "--oidc-secret-file：文件须只含一行客户端密钥（可见字符，至多 {LONGEST_SECRET} 个）。 The file holds the client's secret in one line and nothing else."
        ));
    }
    Ok(text.to_owned())
}
