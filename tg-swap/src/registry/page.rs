//! Lists that come page by page: RFC 8288, as the distribution specification uses it.

use ureq::http::Uri;
use ureq::http::header::{HeaderMap, LINK};

/// Path and query of the page that a `Link: <…>; rel="next"` names. Its host is left
/// out: the credentials are for the registry that we asked.
pub(crate) fn next(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .find_map(|link| {
            let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
            let next = parameters
                .split(';')
                .any(|p| matches!(p.trim().to_ascii_lowercase().as_str(), "rel=\"next\"" | "rel=next"));
            let uri: Uri = target.parse().ok().filter(|_| next)?;
            uri.path_and_query().map(ToString::to_string)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(link: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(LINK, link.parse().unwrap());
        next(&headers)
    }

    #[test]
    fn the_next_page_is_asked_of_the_same_host() {
        let path = Some("/v2/a/b/tags/list?last=1.4.0&n=2".to_owned());
        assert_eq!(after(r#"</v2/a/b/tags/list?last=1.4.0&n=2>; rel="next""#), path);
        assert_eq!(after("<https://other.example.org/v2/a/b/tags/list?last=1.4.0&n=2>; rel=next"), path);
        assert_eq!(
            after(r#"</first>; rel="first", </v2/a/b/tags/list?last=1.4.0&n=2>; title="x"; REL="next""#),
            path
        );
    }

    #[test]
    fn without_a_next_link_the_list_has_ended() {
        for link in [r#"</v2/a>; rel="prev""#, "", "</v2/a", "<>; rel=next"] {
            assert_eq!(after(link), None, "{link}");
        }
    }
}
