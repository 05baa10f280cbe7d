"""Confirms bookings, one after another. SIGTERM lets it finish the one in hand."""

import signal
import threading
import time

from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from . import RELEASE
from .booking import Booking
from .database import Session
from .job import Job

SECONDS_OF_A_MAIL = 0.05
SECONDS_IDLE = 0.5

ending = threading.Event()


def confirm_one():
    """Whether there was one. Others leave a row alone that is taken."""
    waiting = select(Job).where(Job.state == "waiting").order_by(Job.id).limit(1).with_for_update(skip_locked=True)
    with Session.begin() as session:
        job = session.scalars(waiting).first()
        if job is None:
            return False
        time.sleep(SECONDS_OF_A_MAIL)
        session.get(Booking, job.booking_id).confirmed_at = func.now()
        job.state = "done"
        return True


def main():
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    print(f"jobs {RELEASE} started")
    while not ending.is_set():
        try:
            busy = confirm_one()
        except OperationalError as problem:
            print(f"the database does not answer: {problem.orig}")
            busy = False
        if not busy:
            ending.wait(SECONDS_IDLE)
    print("jobs ended")


if __name__ == "__main__":
    main()
