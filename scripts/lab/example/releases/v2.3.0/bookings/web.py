"""The HTTP interface."""

from datetime import date

from flask import Flask, request
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from . import RELEASE
from .booking import SAID, TOLD, Booking
from .database import Session
from .job import Job
from .rooms import bookings_of

app = Flask(__name__)


@app.get("/healthz")
def health():
    try:
        with Session() as session:
            session.execute(text("SELECT 1"))
    except OperationalError:
        return {"status": "error", "version": RELEASE, "database": "down"}, 503
    return {"status": "ok", "version": RELEASE}


@app.get("/rooms/<room>/bookings")
def of_room(room):
    with Session() as session:
        return [{name: str(getattr(booking, name)) for name in TOLD} for booking in session.scalars(bookings_of(room))]


@app.post("/bookings")
def book():
    said = request.get_json()
    try:
        days = {name: date.fromisoformat(said[name]) for name in ("arrives", "leaves")}
        booking = Booking(**{name: said[name] for name in SAID if name in said} | days)
    except (KeyError, ValueError) as problem:
        return {"error": f"arrives, leaves: {problem}"}, 400
    # The booking and its confirmation are there together or not at all.
    with Session.begin() as session:
        session.add(booking)
        session.flush()
        session.add(Job(booking_id=booking.id))
        return {"id": booking.id}, 201
