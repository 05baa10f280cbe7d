//! What a store answers when it does not do as asked.

use std::time::SystemTime;

use rusty_s3::Method;
use ureq::Body;
use ureq::http::Response;
use ureq::http::header::DATE;

use crate::s3::skew::Skew;

/// No store explains itself at greater length, in bytes.
const LONGEST: u64 = 64 << 10;

/// An answer that is no success: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// S3's word for it, such as `AccessDenied`; empty where the answer had no body.
    pub code: String,
    pub message: String,
    /// The region where the bucket is, if the store told.
    pub region: Option<String>,
    /// Whether the clocks differ by too much.
    pub skew: Option<Skew>,
}

impl Refusal {
    pub(super) fn read(method: Method, mut response: Response<Body>) -> Self {
        let header = |name| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let region = header("x-amz-bucket-region");
        let skew = header(DATE.as_str()).and_then(|date| Skew::find(&date, SystemTime::now()));
        let status = response.status().as_u16();
        // A broken connection can't take away that it was a refusal.
        let xml = response.body_mut().with_config().limit(LONGEST).read_to_string().unwrap_or_default();
        let mut parsed = Self::parse(status, &xml);
        // An answer to HEAD has no body, and we ask it of objects alone.
        if (method, status) == (Method::Head, 404) {
            parsed.code = "NoSuchKey".into();
        }
        Refusal { region: region.or(parsed.region), skew, ..parsed }
    }

    /// Reads what the XML of an error says.
    pub(super) fn parse(status: u16, xml: &str) -> Self {
        let text = |tag| text(xml, tag);
        Refusal {
            status,
            code: text("Code").unwrap_or_default(),
            message: text("Message").unwrap_or_default(),
            region: text("Region"),
            skew: None,
        }
    }

    /// Whether an S3 store said it; a web server of another kind has no such words.
    pub(super) fn is_s3(&self) -> bool {
        !self.code.is_empty()
    }

    /// Whether the same request may work a moment later.
    pub(super) fn passes(&self) -> bool {
        match self.status {
            501 => false,
            408 | 429 | 500.. => true,
            // The first is AWS's word for a connection that stalled, the second for damage on the way.
            400 => matches!(self.code.as_str(), "RequestTimeout" | "BadDigest"),
            // An answer that began as a success.
            200 => matches!(self.code.as_str(), "InternalError" | "SlowDown" | "ServiceUnavailable"),
            _ => false,
        }
    }

    /// Whether it is about who asks and how, and not about what was asked for.
    pub(super) fn is_about_us(&self) -> bool {
        let codes = [
            "AuthorizationHeaderMalformed",
            "AuthorizationQueryParametersError",
            "ExpiredToken",
            "IllegalLocationConstraintException",
            "InvalidToken",
            "RequestTimeTooSkewed",
        ];
        matches!(self.status, 301 | 307 | 308 | 401 | 403) || codes.contains(&self.code.as_str())
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message.trim_end_matches('.'))?;
        }
        match self.skew {
            Some(skew) => write!(f, "; this host's clock is {skew}"),
            None => Ok(()),
        }
    }
}

/// The text of the first element of this name, whatever namespace it is in.
fn text(xml: &str, tag: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{tag}>"))?;
    let (text, _) = rest.split_once(&format!("</{tag}>"))?;
    // The ampersand last, so that nothing is decoded twice.
    let characters = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    Some(characters.iter().fold(text.to_owned(), |text, (escape, plain)| text.replace(escape, plain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_message_and_region_come_out_of_the_xml_and_nothing_else_does() {
        let xml = "<?xml version=\"1.0\"?>\n<Error><Code>AuthorizationHeaderMalformed</Code>\
            <Message>the region &#39;a&#39; is wrong &amp;lt;.</Message><Region>eu-central-1</Region>\
            <StringToSign>AWS4-HMAC-SHA256 secret things</StringToSign></Error>";
        let refusal = Refusal::parse(400, xml);
        assert_eq!(refusal.to_string(), "400 AuthorizationHeaderMalformed: the region 'a' is wrong &lt;");
        assert_eq!(refusal.region.as_deref(), Some("eu-central-1"));
        assert!(refusal.is_about_us() && !refusal.passes());
    }

    #[test]
    fn what_is_no_s3_error_is_still_told_by_its_status() {
        for body in ["", "<html>502 Bad Gateway</html>", "<Error><Code>", "{\"error\":1}"] {
            assert_eq!(Refusal::parse(502, body).to_string(), "502", "{body}");
        }
    }

    #[test]
    fn only_what_may_work_a_moment_later_passes() {
        let passes =
            |status, code: &str| Refusal { status, code: code.into(), ..Refusal::default() }.passes();
        assert!(
            passes(503, "SlowDown") && passes(500, "") && passes(429, "") && passes(400, "RequestTimeout")
        );
        assert!(passes(200, "InternalError") && !passes(200, ""));
        assert!(!passes(501, "NotImplemented") && !passes(403, "AccessDenied") && !passes(404, ""));
    }
}
