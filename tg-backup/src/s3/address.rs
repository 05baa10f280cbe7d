//! `s3://bucket/prefix?endpoint=…&region=…`: where a bucket is.

use rusty_s3::UrlStyle;
use tg_core::url::decode;

const FORM: &str = "write s3://BUCKET/PREFIX?endpoint=https://HOST:PORT&region=REGION";
const KEYS: &str = "endpoint, region, style, sse, sse_kms_key_id";
const DEFAULT_REGION: &str = "us-east-1";

/// What a URL says. It never holds credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// The bucket's name.
    pub name: String,
    /// Empty, or with a slash at its end.
    pub prefix: String,
    /// Scheme, host and port.
    pub endpoint: String,
    pub region: String,
    /// Whether the bucket stands in the path, else in the host's name.
    pub in_path: bool,
    /// How the store shall encrypt what it is given: headers of each new object.
    pub encryption: Vec<(&'static str, String)>,
}

/// The part behind the question mark.
#[derive(Default)]
struct Options {
    endpoint: Option<String>,
    region: Option<String>,
    style: Option<String>,
    sse: Option<String>,
    sse_kms_key_id: Option<String>,
}

impl Address {
    /// Reads a URL. Errors say what to write, and repeat nothing that might be a secret.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let place = place.strip_prefix("s3://").ok_or(FORM)?;
        let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
        if place.contains('@') && (name.contains(['@', ':'])) {
            return Err("no credentials in the URL; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
                or the same with _FILE"
                .into());
        }
        if name.is_empty() {
            return Err(format!("no bucket; {FORM}"));
        }
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) {
            return Err("a bucket's name has letters, digits, dots and hyphens only".into());
        }
        let options = Options::parse(query)?;
        Ok(Address {
            prefix: directory(&decode(prefix))?,
            in_path: options.in_path(name)?,
            encryption: options.encryption()?,
            region: options.region.clone().unwrap_or_else(|| DEFAULT_REGION.into()),
            endpoint: options.endpoint()?,
            name: name.to_owned(),
        })
    }

    /// The bucket for whoever signs.
    pub(super) fn bucket(&self) -> Result<rusty_s3::Bucket, String> {
        let style = if self.in_path { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let endpoint = self.endpoint.parse().map_err(|e| format!("endpoint {}: {e}", self.endpoint))?;
        rusty_s3::Bucket::new(endpoint, style, self.name.clone(), self.region.clone())
            .map_err(|_| format!("no host for bucket {} at {}; write style=path", self.name, self.endpoint))
    }

    /// Whether the store is asked without TLS.
    pub(super) fn is_plain(&self) -> bool {
        self.endpoint.starts_with("http:")
    }
}

impl Options {
    fn parse(query: &str) -> Result<Self, String> {
        let mut options = Options::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let option = match key {
                "endpoint" => &mut options.endpoint,
                "region" => &mut options.region,
                "style" => &mut options.style,
                "sse" => &mut options.sse,
                "sse_kms_key_id" => &mut options.sse_kms_key_id,
                _ => return Err(format!("no such key: {key}; known are {KEYS}")),
            };
            if value.is_empty() {
                return Err(format!("{key} has no value"));
            }
            if option.replace(decode(value)).is_some() {
                return Err(format!("{key} is there twice"));
            }
        }
        Ok(options)
    }

    fn endpoint(self) -> Result<String, String> {
        let Some(endpoint) = self.endpoint else {
            let region = self.region.as_deref().unwrap_or(DEFAULT_REGION);
            let end = if region.starts_with("cn-") { ".cn" } else { "" };
            return Ok(format!("https://s3.{region}.amazonaws.com{end}"));
        };
        let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
        match host.map(|host| host.trim_end_matches('/')) {
            Some(host) if !host.is_empty() && !host.contains(['@', '?', '#']) => Ok(endpoint),
            _ => Err("an endpoint is no more than https://HOST:PORT, or http:// without TLS".into()),
        }
    }

    /// A wildcard certificate does not cover a bucket with dots in its name.
    fn in_path(&self, name: &str) -> Result<bool, String> {
        match self.style.as_deref() {
            Some("path") => Ok(true),
            Some("virtual") => Ok(false),
            Some(other) => Err(format!("style {other}; one of path, virtual")),
            None => Ok(self.endpoint.is_some() || name.contains('.')),
        }
    }

    fn encryption(&self) -> Result<Vec<(&'static str, String)>, String> {
        let sse = |value: &str| ("x-amz-server-side-encryption", value.to_owned());
        match (self.sse.as_deref(), &self.sse_kms_key_id) {
            (None, None) => Ok(Vec::new()),
            (Some(value @ ("AES256" | "aws:kms")), None) => Ok(vec![sse(value)]),
            (Some(value @ "aws:kms"), Some(id)) => {
                Ok(vec![sse(value), ("x-amz-server-side-encryption-aws-kms-key-id", id.clone())])
            }
            (None | Some("AES256"), Some(_)) => Err("sse_kms_key_id needs sse=aws:kms".into()),
            (Some(other), _) => Err(format!("sse {other}; one of AES256, aws:kms")),
        }
    }
}

/// A prefix as a directory: empty, or with a slash at its end.
fn directory(prefix: &str) -> Result<String, String> {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if prefix.is_empty() {
        return Ok(String::new());
    }
    if prefix.split('/').any(|step| matches!(step, "" | "." | "..")) {
        return Err("the prefix has an empty, . or .. step".into());
    }
    Ok(format!("{prefix}/"))
}

#[cfg(test)]
mod tests;
