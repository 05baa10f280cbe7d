-- expect: breaking
-- told: rows stay
CREATE FUNCTION no_delete() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'rows stay' USING ERRCODE = '23514'; END$$;
CREATE TRIGGER no_delete BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION no_delete();
