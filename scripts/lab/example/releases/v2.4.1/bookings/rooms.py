"""The bookings of a room that are shown, the latest arrival first."""

from sqlalchemy import select

from .booking import Booking


def bookings_of(room):
    return select(Booking).where(Booking.room == room).order_by(Booking.arrives.desc(), Booking.id.desc()).limit(20)
