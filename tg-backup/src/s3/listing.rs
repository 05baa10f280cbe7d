//! What is in a bucket.

use rusty_s3::actions::ListObjectsV2;

use crate::s3::Bucket;
use crate::s3::content::Content;
use crate::s3::error::Error;

/// A page has a thousand keys of at most 1,024 bytes, each of them perhaps as `%XX`.
const LARGEST_PAGE: u64 = 16 << 20;

/// Objects and directories, sorted by name as the store sorts them: by bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    pub objects: Vec<Object>,
    /// What stands before the delimiter, with the delimiter.
    pub prefixes: Vec<String>,
}

/// An object, without its content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Object {
    /// Relative to the bucket's prefix.
    pub key: String,
    pub bytes: u64,
}

impl Bucket<'_> {
    /// Everything that begins with a prefix; what has the delimiter further on is only told up to it.
    pub(crate) fn list(&self, prefix: &str, delimiter: Option<&str>) -> Result<Listing, Error> {
        let full = format!("{}{prefix}", self.address.prefix);
        let mut listing = Listing::default();
        let mut next: Option<String> = None;
        loop {
            let mut action = self.requests.list_objects_v2(Some(&self.credentials));
            action.with_prefix(full.as_str());
            if let Some(delimiter) = delimiter {
                action.with_delimiter(delimiter);
            }
            if let Some(token) = &next {
                action.with_continuation_token(token.as_str());
            }
            let token = self.page(&full, &mut action, &mut listing)?;
            if token.is_none() {
                return Ok(listing);
            }
            if token == next {
                return Err(self.unreadable_list(&full, "it goes round in circles"));
            }
            next = token;
        }
    }

    /// Takes one page, and says how to ask for the next.
    fn page(
        &self,
        full: &str,
        action: &mut ListObjectsV2,
        listing: &mut Listing,
    ) -> Result<Option<String>, Error> {
        let of = list_of(&self.named(full));
        let xml = self.ask(&of, action, Content::None, |mut response| {
            let text = response.body_mut().with_config().limit(LARGEST_PAGE).read_to_string();
            text.map_err(|e| self.unreachable(&format!("GET {of}"), &e))
        })?;
        let page = ListObjectsV2::parse_response(&xml)
            .map_err(|e| self.unreadable_list(full, format!("no list of an S3 store: {e}")))?;
        let relative = |key: &str| key.strip_prefix(&self.address.prefix).map(str::to_owned);
        for object in page.contents {
            // Some stores list a directory as an empty object.
            if let Some(key) = relative(&object.key).filter(|key| !key.is_empty()) {
                listing.objects.push(Object { key, bytes: object.size.unwrap_or_default() });
            }
        }
        listing.prefixes.extend(page.common_prefixes.iter().filter_map(|group| relative(&group.prefix)));
        Ok(page.next_continuation_token)
    }

    fn unreadable_list(&self, full: &str, problem: impl std::fmt::Display) -> Error {
        Error::Unreadable {
            what: format!("GET {}", list_of(&self.named(full))),
            problem: problem.to_string(),
        }
    }
}

/// How messages call the request.
fn list_of(named: &str) -> String {
    format!("list of {named}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::fake::{Fake, never};

    fn page(content: &str) -> String {
        let xml = format!(
            "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <EncodingType>url</EncodingType>{content}</ListBucketResult>"
        );
        Fake::answer("200 OK", &xml)
    }

    fn object(key: &str, bytes: u64) -> String {
        format!("<Contents><Key>{key}</Key><Size>{bytes}</Size></Contents>")
    }

    fn more(token: &str) -> String {
        format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>")
    }

    #[test]
    fn pages_are_put_together_and_keys_are_relative() {
        let first = object("p/", 0) + &object("p/a+b%2Bc", 3) + &more("t/1");
        let last = "<CommonPrefixes><Prefix>p/d%2F</Prefix></CommonPrefixes><IsTruncated>false</IsTruncated>";
        let fake = Fake::new([page(&first), page(last)]);
        let listing = fake.bucket(&never).list("", Some("/")).unwrap();
        assert_eq!(listing.objects, [Object { key: "a b+c".into(), bytes: 3 }]);
        assert_eq!(listing.prefixes, ["d/"]);
        let asked = fake.asked();
        assert!(asked[0].query.contains("&delimiter=%2F&") && asked[0].query.contains("&prefix=p%2F"));
        assert!(asked[1].query.contains("continuation-token=t%2F1"), "{}", asked[1].query);
    }

    #[test]
    fn a_list_that_goes_round_in_circles_ends() {
        let fake = Fake::new([page(&more("t")), page(&more("t"))]);
        let error = fake.bucket(&never).list("x", None).unwrap_err();
        assert_eq!(error.to_string(), "GET list of s3://b/p/x: it goes round in circles");
    }
}
