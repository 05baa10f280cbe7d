-- Two years of bookings, all confirmed. A few guests leave before they arrive: nobody has checked that.
INSERT INTO bookings (room, guest, arrives, leaves, made_at, confirmed_at)
SELECT 'room ' || n % 40, 'guest ' || n, day, day + (CASE WHEN n % 5000 = 0 THEN -1 ELSE 1 + n % 6 END), day - 30, day - 30
FROM generate_series(1, 20000) AS n, LATERAL (SELECT date '2024-01-01' + n % 730) AS d (day);

INSERT INTO jobs (booking_id, state) SELECT id, 'done' FROM bookings;
