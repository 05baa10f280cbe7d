//! A request in a log: pino-http's JSON, the common and combined formats of nginx, Apache and Caddy's transforms, and HAProxy's.
//! <https://docs.haproxy.org/3.0/configuration.html#8.2.3>, <https://httpd.apache.org/docs/2.4/logs.html#common>

/// A request that was answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Access<'a> {
    pub(crate) method: &'a str,
    /// With its query.
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    /// How long it took, where the log says it.
    pub(crate) ms: Option<f64>,
}

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/// What takes the place of a part of a path that differs.
const HOLE: &str = "<*>";

impl<'a> Access<'a> {
    /// A plain line, if it is of a request.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let protocol = text.find(" HTTP/")?;
        let begin = text[..protocol].rfind('"')?;
        let (method, path) = text[begin + 1..protocol].split_once(' ')?;
        if !METHODS.contains(&method) {
            return None;
        }
        let after = text[protocol + 1..].split_once('"').map_or("", |(_, after)| after);
        let number = |word: &str| word.parse::<u16>().ok().filter(|status| (100..600).contains(status));
        if let Some(status) = after.split_ascii_whitespace().next().and_then(number) {
            return Some(Access { method, path, status, ms: None });
        }
        // HAProxy has the times before the status, and both before the request.
        let mut words = text[..begin].split_ascii_whitespace();
        let times = words.by_ref().find(|word| {
            word.matches('/').count() == 4 && word.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        })?;
        let status = words.next().and_then(number)?;
        let total = times.rsplit('/').next().and_then(|ms| ms.trim_start_matches('+').parse().ok());
        Some(Access { method, path, status, ms: total })
    }

    /// Writes the endpoint: the method and the path without its query and without what names one of many.
    pub(crate) fn endpoint(&self, buffer: &mut String) {
        buffer.clear();
        buffer.push_str(self.method);
        buffer.push(' ');
        let path = self.path.split(['?', '#']).next().unwrap_or_default();
        for (n, part) in path.split('/').enumerate() {
            if n > 0 {
                buffer.push('/');
            }
            let version =
                part.strip_prefix('v').is_some_and(|n| n.len() <= 2 && n.bytes().all(|b| b.is_ascii_digit()));
            let one_of_many = part.bytes().any(|b| b.is_ascii_digit()) && !version;
            buffer.push_str(if one_of_many { HOLE } else { part });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(path: &str) -> String {
        let mut buffer = String::new();
        Access { method: "GET", path, status: 200, ms: None }.endpoint(&mut buffer);
        buffer
    }

    #[test]
    fn each_format_is_read() {
        let nginx =
            r#"10.0.0.1 - - [26/Nov/2026:10:00:00 +0000] "GET /v1/x?y=1 HTTP/1.1" 404 12 "-" "curl/8""#;
        assert_eq!(
            Access::read(nginx),
            Some(Access { method: "GET", path: "/v1/x?y=1", status: 404, ms: None })
        );
        let haproxy = r#"10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "POST /index.html HTTP/1.1""#;
        assert_eq!(
            Access::read(haproxy),
            Some(Access { method: "POST", path: "/index.html", status: 200, ms: Some(109.0) })
        );
        for none in [
            "",
            "GET /x HTTP/1.1",
            r#""FOO /x HTTP/1.1" 200"#,
            r#""GET /x HTTP/1.1" abc"#,
            "no HTTP/1.1 here",
        ] {
            assert_eq!(Access::read(none), None, "{none}");
        }
    }

    #[test]
    fn an_endpoint_is_the_same_for_one_and_another_of_many() {
        assert_eq!(endpoint("/v1/features/17?x=1"), "GET /v1/features/<*>");
        assert_eq!(endpoint("/v1/features/0af7651916cd43dd"), "GET /v1/features/<*>");
        assert_eq!(endpoint("/v1/health/ready"), "GET /v1/health/ready");
        assert_eq!(endpoint("/"), "GET /");
    }
}
