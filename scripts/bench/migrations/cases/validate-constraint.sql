-- expect: compatible
ALTER TABLE orders ADD COLUMN note text;
ALTER TABLE orders ADD CONSTRAINT note_short CHECK (length(note) < 100) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT note_short;
