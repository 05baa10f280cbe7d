"""A booking that waits for its confirmation, or has it."""

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from .database import Table


class Job(Table):
    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    booking_id: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(server_default="waiting")
