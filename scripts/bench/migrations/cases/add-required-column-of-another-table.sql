-- expect: compatible
ALTER TABLE archive ADD COLUMN tenant text;
UPDATE archive SET tenant = 'x';
ALTER TABLE archive ALTER COLUMN tenant SET NOT NULL;
