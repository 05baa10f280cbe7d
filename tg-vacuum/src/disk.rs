//! Room for a second copy, where the server keeps its data.

use tg_core::container::Container;
use tg_core::engine::Engine;

use crate::database::Connection;

/// Bytes that are free where the server's data are; `None` where its container can't be asked, or it has none.
pub(crate) fn free(
    engine: &Engine,
    container: Option<&Container>,
    connection: &mut Connection,
) -> Option<u64> {
    let row = connection.client.query_one("SELECT pg_catalog.current_setting('data_directory')", &[]).ok()?;
    let directory: String = row.try_get(0).ok()?;
    let (code, output) = engine.exec(&container?.id, &["df", "-Pk", &directory]).ok()?;
    if code == 0 { available(&output) } else { None }
}

/// The fourth word of the last line of `df -Pk`, which is in kB.
fn available(output: &str) -> Option<u64> {
    let kilobytes: u64 = output.trim().lines().last()?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_df_says_is_read_in_its_portable_form() {
        let output =
            "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 100 40 60 40% /data\n";
        assert_eq!(super::available(output), Some(60 * 1024));
        assert_eq!(super::available("df: /x: No such file"), None);
    }
}
