"""A guest's telephone number, and bookings found by it."""

from alembic import op

revision = "0002"
down_revision = "0001"


# Everything here may be run again after it was cut off: the index can't be built in a transaction.
def upgrade():
    op.execute("ALTER TABLE bookings ADD COLUMN IF NOT EXISTS phone text")
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS bookings_phone")
        op.execute("CREATE INDEX CONCURRENTLY bookings_phone ON bookings (phone)")
