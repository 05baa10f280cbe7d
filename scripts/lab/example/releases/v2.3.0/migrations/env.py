"""Runs the migrations that the database has not had, each in a transaction of its own."""

from alembic import context
from bookings.database import engine

with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
