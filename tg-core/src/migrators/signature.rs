//! The tables of the migrators that are known: what columns they have, and how their rows are read.

/// A migrator's table.
#[derive(Debug)]
pub struct Signature {
    /// The migrator.
    pub tool: &'static str,
    /// Sorted; `+` first: there may be others beside them.
    columns: &'static str,
    /// A column whose type tells it from another's table of the same columns.
    type_of: Option<(&'static str, &'static str)>,
    /// Name, `applied`, `failed`, `stuck` or `skipped`, and when, oldest first.
    pub(crate) rows: &'static str,
}

const fn of_tool(tool: &'static str, columns: &'static str, rows: &'static str) -> Signature {
    Signature { tool, columns, type_of: None, rows }
}

/// The more special before the more general. Sources of columns and states: the statements by which each
/// tool creates and fills its table.
static SIGNATURES: [Signature; 32] = [
    of_tool(
        "Flyway",
        "+checksum description execution_time installed_by installed_on installed_rank script success type version",
        "SELECT concat_ws(' ', version, description), CASE WHEN success THEN 'applied' ELSE 'failed' END, installed_on::text \
         FROM {table} ORDER BY installed_rank",
    ),
    of_tool(
        "Liquibase",
        "+author dateexecuted exectype filename id md5sum orderexecuted",
        "SELECT concat_ws(' ', id, author, filename), CASE exectype WHEN 'FAILED' THEN 'failed' WHEN 'SKIPPED' THEN 'skipped' \
         ELSE 'applied' END, dateexecuted::text FROM {table} ORDER BY orderexecuted",
    ),
    of_tool(
        "Liquibase",
        "id locked lockedby lockgranted",
        "SELECT concat('lock of ', lockedby), 'stuck', lockgranted::text FROM {table} WHERE locked",
    ),
    of_tool(
        "Atlas",
        "+applied description error error_stmt executed_at execution_time hash total type version",
        "SELECT concat_ws(' ', version, description), CASE WHEN coalesce(error, '') <> '' OR applied < total THEN 'failed' \
         ELSE 'applied' END, executed_at::text FROM {table} WHERE version <> '.atlas_cloud_identifier' ORDER BY version",
    ),
    of_tool(
        "Sqitch",
        "+change change_id committed_at note project script_hash",
        "SELECT concat(project, ':', change), 'applied', committed_at::text FROM {table} ORDER BY committed_at",
    ),
    of_tool(
        "Prisma",
        "+applied_steps_count checksum finished_at id logs migration_name rolled_back_at started_at",
        "SELECT migration_name, CASE WHEN rolled_back_at IS NOT NULL THEN 'skipped' WHEN finished_at IS NULL THEN 'failed' \
         ELSE 'applied' END, coalesce(finished_at, started_at)::text FROM {table} ORDER BY started_at",
    ),
    of_tool(
        "SQLx",
        "checksum description execution_time installed_on success version",
        "SELECT concat_ws(' ', version, description), CASE WHEN success THEN 'applied' ELSE 'failed' END, installed_on::text \
         FROM {table} ORDER BY version",
    ),
    of_tool(
        "Refinery",
        "applied_on checksum name version",
        "SELECT concat_ws(' ', version, name), 'applied', applied_on::text FROM {table} ORDER BY version",
    ),
    of_tool(
        "golang-migrate",
        "dirty version",
        "SELECT version::text, CASE WHEN dirty THEN 'failed' ELSE 'applied' END, NULL::text FROM {table}",
    ),
    of_tool(
        "goose",
        "id is_applied tstamp version_id",
        "SELECT version_id::text, CASE WHEN is_applied THEN 'applied' ELSE 'skipped' END, tstamp::text FROM {table} ORDER BY id",
    ),
    of_tool(
        "Knex",
        "batch id migration_time name",
        "SELECT name::text, 'applied', migration_time::text FROM {table} ORDER BY id",
    ),
    of_tool("Knex", "index is_locked", "SELECT 'lock', 'stuck', NULL::text FROM {table} WHERE is_locked = 1"),
    of_tool("Kysely", "id is_locked", "SELECT 'lock', 'stuck', NULL::text FROM {table} WHERE is_locked = 1"),
    of_tool(
        "Kysely",
        "name timestamp",
        "SELECT name::text, 'applied', \"timestamp\"::text FROM {table} ORDER BY 3, 1",
    ),
    of_tool(
        "node-pg-migrate",
        "id name run_on",
        "SELECT name::text, 'applied', run_on::text FROM {table} ORDER BY id",
    ),
    of_tool(
        "TypeORM",
        "id name timestamp",
        "SELECT name::text, 'applied', to_timestamp(\"timestamp\" / 1000.0)::text FROM {table} ORDER BY id",
    ),
    Signature {
        tool: "Drizzle",
        columns: "created_at hash id",
        type_of: Some(("created_at", "bigint")),
        rows: "SELECT hash::text, 'applied', to_timestamp(created_at / 1000.0)::text FROM {table} ORDER BY id",
    },
    of_tool(
        "MikroORM",
        "executed_at id name",
        "SELECT name::text, 'applied', executed_at::text FROM {table} ORDER BY id",
    ),
    of_tool("Alembic", "version_num", "SELECT version_num::text, 'applied', NULL::text FROM {table}"),
    of_tool(
        "Django",
        "app applied id name",
        "SELECT concat(app, '.', name), 'applied', applied::text FROM {table} ORDER BY id",
    ),
    of_tool(
        "pgroll",
        "+done migration name parent resulting_schema schema",
        "SELECT name::text, CASE WHEN done THEN 'applied' ELSE 'failed' END, NULL::text FROM {table}",
    ),
    of_tool(
        "Reshape",
        "+actions completed_at description index name",
        "SELECT name::text, CASE WHEN completed_at IS NULL THEN 'failed' ELSE 'applied' END, completed_at::text \
         FROM {table} ORDER BY index",
    ),
    of_tool(
        "Laravel",
        "batch id migration",
        "SELECT migration::text, 'applied', NULL::text FROM {table} ORDER BY id",
    ),
    of_tool(
        "Doctrine",
        "executed_at execution_time version",
        "SELECT version::text, 'applied', executed_at::text FROM {table} ORDER BY 3, 1",
    ),
    of_tool(
        "Entity Framework",
        "MigrationId ProductVersion",
        "SELECT \"MigrationId\"::text, 'applied', NULL::text FROM {table} ORDER BY 1",
    ),
    of_tool(
        "Ecto",
        "inserted_at version",
        "SELECT version::text, 'applied', inserted_at::text FROM {table} ORDER BY 1",
    ),
    of_tool(
        "Diesel",
        "run_on version",
        "SELECT version::text, 'applied', run_on::text FROM {table} ORDER BY 1",
    ),
    Signature {
        tool: "Rails or dbmate",
        columns: "version",
        type_of: Some(("version", "character varying")),
        rows: "SELECT version::text, 'applied', NULL::text FROM {table} ORDER BY 1",
    },
    Signature {
        tool: "Sequelize",
        columns: "name",
        type_of: Some(("name", "character varying")),
        rows: "SELECT name::text, 'applied', NULL::text FROM {table} ORDER BY 1",
    },
    // Written by hand, as applications do.
    of_tool(
        "its own",
        "applied_at name",
        "SELECT name::text, 'applied', applied_at::text FROM {table} ORDER BY 3, 1",
    ),
    of_tool(
        "its own",
        "applied_at version",
        "SELECT version::text, 'applied', applied_at::text FROM {table} ORDER BY 3, 1",
    ),
    of_tool(
        "its own",
        "applied_at id name",
        "SELECT name::text, 'applied', applied_at::text FROM {table} ORDER BY id",
    ),
];

/// The signature of a table of these columns, which come sorted, with their types.
pub(super) fn of(columns: &[String], types: &[String]) -> Option<&'static Signature> {
    SIGNATURES.iter().find(|signature| signature.fits(columns, types))
}

impl Signature {
    fn fits(&self, columns: &[String], types: &[String]) -> bool {
        let at = |column: &str| columns.iter().position(|c| c == column);
        let known = match self.columns.strip_prefix('+') {
            Some(some) => some.split(' ').all(|column| at(column).is_some()),
            None => self.columns.split(' ').eq(columns.iter().map(String::as_str)),
        };
        let right = |(column, kind): (&str, &str)| at(column).is_some_and(|i| types[i] == kind);
        known && self.type_of.is_none_or(right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(columns: &str, kind: &str) -> Option<&'static str> {
        let columns: Vec<String> = columns.split(' ').map(str::to_owned).collect();
        let types = vec![kind.to_owned(); columns.len()];
        of(&columns, &types).map(|signature| signature.tool)
    }

    #[test]
    fn a_history_is_known_by_its_columns_whatever_its_name() {
        assert_eq!(tool("dirty version", "bigint"), Some("golang-migrate"));
        assert_eq!(tool("version", "character varying"), Some("Rails or dbmate"));
        assert_eq!(tool("version", "integer"), None);
        assert_eq!(tool("batch id migration_time name", "text"), Some("Knex"));
        assert_eq!(tool("created_at hash id", "bigint"), Some("Drizzle"));
        assert_eq!(tool("created_at hash id", "text"), None);
        assert_eq!(tool("email id", "text"), None);
    }

    #[test]
    fn columns_are_written_in_their_order_so_that_they_can_fit() {
        for signature in &SIGNATURES {
            let columns = signature.columns.trim_start_matches('+');
            let mut sorted: Vec<&str> = columns.split(' ').collect();
            sorted.sort_unstable();
            assert_eq!(sorted.join(" "), columns, "{}", signature.tool);
        }
    }
}
