//! The file of `server` lines. <https://nginx.org/en/docs/http/ngx_http_upstream_module.html#server>

use std::fmt::Write;

use crate::balancer::weights::Weights;
use crate::balancer::{Duty, Post};

/// The first lines of the file.
const HEAD: &str = "\
# Written by tg-swap: who gets requests. Keep this file: nginx does not start without it.
# The address after each line is the one at which it was loaded.
";
/// Stands in the file until nginx has loaded it.
const PENDING: &str = "# Not loaded yet: run tg-swap again, or nginx -s reload.\n";

/// The file for a set.
pub(super) fn text(posts: &[Post]) -> String {
    let weights = Weights::of(posts.iter().map(|post| post.duty));
    let mut text = HEAD.to_owned();
    for post in posts.iter().filter(|post| post.duty != Duty::Rest) {
        let instance = &post.instance;
        let weight = weights.map(|weights| format!(" weight={}", weights.for_duty(post.duty)));
        // nginx looks names up once: another address is another file, and so a reload.
        let _ = writeln!(
            text,
            "server {}:{}{}; # {}",
            instance.name,
            instance.port,
            weight.unwrap_or_default(),
            instance.address
        );
    }
    text
}

/// The same, until nginx has loaded it.
pub(super) fn pending(text: &str) -> String {
    format!("{PENDING}{text}")
}

/// Whether it is unknown what nginx has loaded.
pub(super) fn is_pending(text: &str) -> bool {
    text.starts_with(PENDING)
}

/// The names and ports in the file, also in one that the user has written.
pub(super) fn servers(text: &str) -> Vec<(&str, u16)> {
    text.lines().filter_map(server).collect()
}

fn server(line: &str) -> Option<(&str, u16)> {
    let line = line.trim().strip_prefix("server")?.split_once(';')?.0;
    let (name, port) = line.split_whitespace().next()?.rsplit_once(':')?;
    Some((name, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancer::Instance;

    fn post(name: &str, duty: Duty) -> Post {
        Post {
            instance: Instance {
                name: name.into(),
                address: "10.0.0.9".into(),
                others: Vec::new(),
                port: 3000,
            },
            duty,
        }
    }

    #[test]
    fn who_rests_is_not_in_the_file_and_others_are_by_name() {
        let text = text(&[post("app-api-1", Duty::Serve), post("app-api-2", Duty::Rest)]);
        assert!(text.ends_with("\nserver app-api-1:3000; # 10.0.0.9\n"), "{text}");
        assert_eq!(servers(&text), [("app-api-1", 3000)]);
        assert!(text.lines().next().is_some_and(|l| l.starts_with("# Written by tg-swap")), "{text}");
    }

    #[test]
    fn a_canary_weighs_its_share() {
        let text = text(&[post("a", Duty::Serve), post("b", Duty::Serve), post("c", Duty::Share(20))]);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                "server a:3000 weight=100; # 10.0.0.9",
                "server b:3000 weight=100; # 10.0.0.9",
                "server c:3000 weight=50; # 10.0.0.9"
            ]
        );
    }

    #[test]
    fn a_set_is_pending_until_it_is_written_without_the_mark() {
        let text = text(&[post("a", Duty::Serve)]);
        assert!(is_pending(&pending(&text)) && !is_pending(&text));
        assert_eq!(servers(&pending(&text)), servers(&text));
    }

    #[test]
    fn lines_of_the_user_are_understood() {
        let text = "  server  api:3000 max_fails=0;\nserver 10.0.0.1;\n# server x:1;\nkeepalive 16;\nserver unix:/run/x;";
        assert_eq!(servers(text), [("api", 3000)]);
    }
}
