use serde_json::json;

use super::*;

/// Objects of table `s.t` and others, each `(kind, relation, name, attributes)`.
fn catalog(objects: &[(Kind, Option<&str>, &str, Value)]) -> Catalog {
    let object = |(object, relation, name, attributes): &(Kind, Option<&str>, &str, Value)| {
        let key = Key {
            object: object.clone(),
            schema: "s".into(),
            relation: relation.map(str::to_owned),
            name: (*name).to_owned(),
        };
        (key, attributes.clone())
    };
    objects.iter().map(object).collect()
}

fn table() -> Vec<(Kind, Option<&'static str>, &'static str, Value)> {
    vec![
        (Kind::Relation, None, "t", json!({"is": "table", "row_security": "off"})),
        (
            Kind::Column,
            Some("t"),
            "id",
            json!({"type": "integer", "not_null": true, "default": "nextval('q')"}),
        ),
        (Kind::Column, Some("t"), "a", json!({"type": "text", "not_null": false, "default": null})),
    ]
}

fn with(more: (Kind, Option<&'static str>, &'static str, Value)) -> Catalog {
    let mut all = table();
    all.retain(|(kind, relation, name, _)| (kind, relation, name) != (&more.0, &more.1, &more.2));
    all.push(more);
    catalog(&all)
}

/// The class of the only difference between the table and this one.
fn class_of(after: &Catalog) -> (Class, String) {
    let all = changes(&catalog(&table()), after);
    assert_eq!(all.len(), 1, "{all:?}");
    (all[0].verdict.class, all[0].verdict.reason.clone())
}

#[test]
fn nothing_differs_from_itself() {
    assert_eq!(changes(&catalog(&table()), &catalog(&table())), []);
}

#[test]
fn a_new_column_breaks_only_if_old_code_must_fill_it() {
    let column = |attributes| with((Kind::Column, Some("t"), "new", attributes));
    for (attributes, class) in [
        (json!({"type": "text", "not_null": false, "default": null}), Class::Compatible),
        (json!({"type": "text", "not_null": true, "default": "'x'"}), Class::Compatible),
        (
            json!({"type": "integer", "not_null": true, "default": null, "identity": "always"}),
            Class::Compatible,
        ),
        (json!({"type": "text", "not_null": true, "default": null}), Class::Breaking),
    ] {
        assert_eq!(class_of(&column(attributes.clone())).0, class, "{attributes}");
    }
}

#[test]
fn a_changed_column_breaks_if_old_code_is_refused_or_reads_something_else() {
    let column = |attributes| with((Kind::Column, Some("t"), "a", attributes));
    for (attributes, class) in [
        (json!({"type": "character varying(9)", "not_null": false, "default": null}), Class::Breaking),
        (json!({"type": "jsonb", "not_null": false, "default": null}), Class::Breaking),
        (json!({"type": "text", "not_null": true, "default": null}), Class::Breaking),
        (json!({"type": "text", "not_null": false, "default": "'x'"}), Class::Compatible),
        (json!({"type": "text", "not_null": false, "default": null, "collation": "C"}), Class::Risky),
        (
            json!({"type": "text", "not_null": false, "default": null, "generated": "id::text"}),
            Class::Breaking,
        ),
    ] {
        assert_eq!(class_of(&column(attributes.clone())).0, class, "{attributes}");
    }
    let id = |attributes| with((Kind::Column, Some("t"), "id", attributes));
    let identity =
        |how: &str| id(json!({"type": "integer", "not_null": true, "default": null, "identity": how}));
    assert_eq!(class_of(&identity("by default")).0, Class::Compatible);
    assert_eq!(class_of(&identity("always")).0, Class::Breaking);
    let bare = id(json!({"type": "integer", "not_null": true, "default": null}));
    assert_eq!(class_of(&bare).0, Class::Breaking, "a default that is missed");
}

#[test]
fn a_renamed_column_is_told_as_one() {
    let mut all = table();
    all[2].2 = "b";
    let changes = changes(&catalog(&table()), &catalog(&all));
    let gone = changes.iter().find(|c| c.how == How::Removed).unwrap();
    assert_eq!(gone.verdict.harms, Use::Name);
    assert!(gone.verdict.reason.ends_with("b came, perhaps it was renamed"), "{}", gone.verdict.reason);
}

#[test]
fn a_constraint_breaks_if_it_is_about_what_old_code_writes() {
    let of = |kind: &str, columns: Value| {
        with((Kind::Constraint, Some("t"), "k", json!({"is": kind, "columns": columns, "validated": true})))
    };
    for kind in ["check", "unique", "foreign key", "primary key", "exclusion"] {
        assert_eq!(class_of(&of(kind, json!(["a"]))).0, Class::Breaking, "{kind}");
        assert_eq!(class_of(&of(kind, Value::Null)).0, Class::Breaking, "{kind} over an expression");
    }
    let mut all = table();
    all.push((Kind::Column, Some("t"), "new", json!({"type": "text", "not_null": false, "default": null})));
    for kind in ["check", "unique", "foreign key"] {
        let constraint = json!({"is": kind, "columns": ["new"], "validated": true});
        let mut after = all.clone();
        after.push((Kind::Constraint, Some("t"), "k", constraint));
        let worst = changes(&catalog(&table()), &catalog(&after)).iter().map(|c| c.verdict.class).max();
        assert_eq!(worst, Some(Class::Compatible), "{kind} over a new column");
    }
}

#[test]
fn an_index_breaks_if_it_is_unique_and_matters_if_it_is_invalid_or_gone() {
    let index = |unique: bool, valid: bool| json!({"unique": unique, "valid": valid, "whole": true, "columns": ["a"], "constraint": null});
    let of = |unique, valid| class_of(&with((Kind::Index, Some("t"), "i", index(unique, valid)))).0;
    assert_eq!(
        (of(false, true), of(true, true), of(false, false)),
        (Class::Compatible, Class::Breaking, Class::Risky)
    );
    let before = with((Kind::Index, Some("t"), "i", index(false, true)));
    assert_eq!(changes(&before, &catalog(&table()))[0].verdict.class, Class::Risky);
}

#[test]
fn what_belongs_to_something_new_or_gone_is_told_of_that() {
    let one = |kind, relation, name| {
        (kind, relation, name, json!({"not_null": true, "is": "unique", "unique": true}))
    };
    let mut all = table();
    all.extend([
        one(Kind::Relation, None, "new"),
        one(Kind::Column, Some("new"), "x"),
        one(Kind::Constraint, Some("new"), "k"),
    ]);
    let added = changes(&catalog(&table()), &catalog(&all));
    assert!(added.iter().all(|c| c.verdict.class == Class::Compatible), "{added:?}");
    let removed = changes(&catalog(&all), &catalog(&table()));
    let breaking: Vec<_> = removed.iter().filter(|c| c.verdict.class == Class::Breaking).collect();
    assert_eq!(breaking.len(), 1, "{removed:?}");
    assert_eq!(breaking[0].key.object, Kind::Relation);
}

#[test]
fn labels_may_come_and_not_go() {
    let of = |labels: Value| catalog(&[(Kind::Enum, None, "e", json!({"labels": labels}))]);
    let class = |labels| changes(&of(json!(["a", "b"])), &of(labels))[0].verdict.class;
    assert_eq!(class(json!(["a", "x", "b"])), Class::Risky);
    assert_eq!(class(json!(["a", "c"])), Class::Breaking);
}

#[test]
fn rights_and_domains_break_when_they_refuse_more() {
    let grant = (Kind::Grant, Some("t"), "app SELECT", json!({"grantable": false}));
    let removed = changes(&with(grant), &catalog(&table()));
    assert_eq!((removed[0].verdict.class, &removed[0].verdict.harms), (Class::Breaking, &Use::Name));
    let domain = |constraints: Value| {
        catalog(&[(Kind::Domain, None, "d", json!({"type": "text", "constraints": constraints}))])
    };
    let class = |before, after| changes(&domain(before), &domain(after))[0].verdict.class;
    assert_eq!(class(Value::Null, json!({"k": "CHECK (x)"})), Class::Breaking);
    assert_eq!(class(json!({"k": "CHECK (x)"}), Value::Null), Class::Compatible);
}

#[test]
fn what_no_rule_knows_is_risky_and_a_comment_is_not() {
    let other = |kind: &str| (Kind::from(kind.to_owned()), None, "x", json!({"a": 1, "comment": null}));
    let with_other = |kind: &str| with(other(kind));
    for kind in
        ["publication", "event trigger", "cast", "default acl", "setting", "something of PostgreSQL 20"]
    {
        let before = with_other(kind);
        let class = |before: &Catalog, after: &Catalog| changes(before, after)[0].verdict.class;
        let added = class(&catalog(&table()), &before);
        assert_eq!(added, Class::Risky, "{kind} added");
        assert_ne!(class(&before, &catalog(&table())), Class::Compatible, "{kind} removed");
        let mut changed = other(kind);
        changed.3["a"] = json!(2);
        assert_eq!(class(&before, &with(changed)), Class::Risky, "{kind} changed");
        let mut commented = other(kind);
        commented.3["comment"] = json!("why");
        assert_eq!(class(&before, &with(commented)), Class::Compatible, "{kind} commented");
    }
    let class = |attributes: Value| {
        let key = Some("t");
        let all = with((Kind::Column, key, "a", json!({"type": "text", "not_null": false, "default": null})));
        changes(&all, &with((Kind::Column, key, "a", attributes)))[0].verdict.class
    };
    let base = json!({"type": "text", "not_null": false, "default": null});
    let more = |name: &str| {
        let mut attributes = base.clone();
        attributes[name] = json!(1);
        attributes
    };
    assert_eq!(class(more("attstattarget")), Class::Compatible);
    assert_eq!(class(more("attributeofpostgresql20")), Class::Risky);
}

#[test]
fn columns_in_another_order_are_risky_and_one_that_came_or_went_is_told_by_itself() {
    let table =
        |order: Value| catalog(&[(Kind::Relation, None, "t", json!({"is": "table", "order": order}))]);
    let before = table(json!(["a", "b", "c"]));
    assert_eq!(changes(&before, &table(json!(["a", "c", "b"])))[0].verdict.class, Class::Risky);
    assert_eq!(changes(&before, &table(json!(["a", "c", "d"]))), []);
}

#[test]
fn a_right_that_was_taken_from_its_owner_breaks_and_comes_back_without_harm() {
    let revoked = with((Kind::Grant, Some("t"), "owner SELECT", json!({"revoked": true})));
    assert_eq!(class_of(&revoked).0, Class::Breaking);
    assert_eq!(changes(&revoked, &catalog(&table()))[0].verdict.class, Class::Compatible);
}
