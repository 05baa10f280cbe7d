"""A guest, a room, and from when to when."""

from datetime import date, datetime

from sqlalchemy import BigInteger, DateTime, func
from sqlalchemy.orm import Mapped, mapped_column

from .database import Table


class Booking(Table):
    __tablename__ = "bookings"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    room: Mapped[str]
    guest: Mapped[str]
    arrives: Mapped[date]
    leaves: Mapped[date]
    phone: Mapped[str | None]
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    confirmed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


# What a guest may say, and what anybody is told.
SAID = ["room", "guest", "arrives", "leaves", "phone"]
TOLD = ["id", "room", "arrives", "leaves"]
