-- expect: compatible
ALTER TABLE orders ALTER COLUMN id SET GENERATED ALWAYS;
