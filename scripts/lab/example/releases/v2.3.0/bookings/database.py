"""Where the database is."""

import os

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, sessionmaker

# A connection that went away while it was idle is opened again, instead of failing a request.
engine = create_engine(os.environ["BOOKINGS_DSN"], pool_pre_ping=True)
Session = sessionmaker(engine)


class Table(DeclarativeBase):
    pass
