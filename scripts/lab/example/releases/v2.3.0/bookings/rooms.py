"""The bookings of a room that are shown, the newest first."""

from sqlalchemy import select

from .booking import Booking


def bookings_of(room):
    return select(Booking).where(Booking.room == room).order_by(Booking.id.desc()).limit(20)
