"""Users, baskets, counters, settings, idempotency keys."""

from __future__ import annotations

from sqlalchemy import bindparam, func, insert, select, update

from bsv_wallet_toolbox.database.statements import Statement, values_of
from bsv_wallet_toolbox.storage.schema import BWT, metadata
from bsv_wallet_toolbox.storage.timestamps import touched

_users = metadata.tables["users"]
_baskets = metadata.tables["output_baskets"]
_settings = metadata.tables["settings"]

FIND_USER = Statement(
    select(_users.c.userId, _users.c.identityKey, _users.c.activeStorage).where(
        _users.c.identityKey == bindparam("identity_key")
    ),
    "find user",
)

COUNT_USERS = Statement(select(func.count()).select_from(_users), "count users")

INSERT_USER = Statement(
    insert(_users).values(
        created_at=bindparam("created_at"),
        updated_at=bindparam("updated_at"),
        identityKey=bindparam("identity_key"),
        activeStorage=bindparam("active_storage"),
    ),
    "insert user",
)

INSERT_BASKET = Statement(
    insert(_baskets).values(
        created_at=bindparam("created_at"),
        updated_at=bindparam("updated_at"),
        userId=bindparam("user_id"),
        name=bindparam("name"),
        numberOfDesiredUTXOs=bindparam("desired_utxos"),
        minimumDesiredUTXOValue=bindparam("minimum_value"),
        isDeleted=0,
    ),
    "insert basket",
)

FIND_BASKETS = Statement(
    select(_baskets.c.name, _baskets.c.basketId, _baskets.c.isDeleted).where(
        _baskets.c.userId == bindparam("user_id"), _baskets.c.name.in_(values_of("names"))
    ),
    "find baskets",
)

FIND_BASKET = Statement(
    select(_baskets.c.basketId, _baskets.c.numberOfDesiredUTXOs, _baskets.c.minimumDesiredUTXOValue).where(
        _baskets.c.name == bindparam("name"), _baskets.c.userId == bindparam("user_id")
    ),
    "find basket",
)

REVIVE_BASKET = Statement(
    update(_baskets)
    .where(_baskets.c.basketId == bindparam("basket_id"))
    .values(isDeleted=0, updated_at=touched(_baskets)),
    "revive basket",
)

READ_SETTINGS = Statement(
    select(
        _settings.c.storageIdentityKey,
        _settings.c.storageName,
        _settings.c.chain,
        _settings.c.dbtype,
        _settings.c.maxOutputScript,
    ),
    "read settings",
)

INSERT_SETTINGS = Statement(
    insert(_settings).values(
        created_at=bindparam("now"),
        updated_at=bindparam("now"),
        storageIdentityKey=bindparam("identity_key"),
        storageName=bindparam("name"),
        chain=bindparam("chain"),
        dbtype=bindparam("dbtype"),
        maxOutputScript=bindparam("max_output_script"),
    ),
    "insert settings",
)

READ_COUNTER = Statement(
    select(BWT.counters.c.value).where(
        BWT.counters.c.userId == bindparam("user_id"), BWT.counters.c.name == bindparam("name")
    ),
    "read counter",
)

INSERT_COUNTER = Statement(
    insert(BWT.counters).values(userId=bindparam("user_id"), name=bindparam("name"), value=bindparam("value")),
    "insert counter",
)

MOVE_COUNTER = Statement(
    update(BWT.counters)
    .where(BWT.counters.c.userId == bindparam("of_user"), BWT.counters.c.name == bindparam("of_name"))
    .values(value=BWT.counters.c.value + bindparam("step")),
    "move counter",
)

READ_LOCAL_SETTING = Statement(
    select(BWT.settings.c.value).where(BWT.settings.c.key == bindparam("key")), "read local setting"
)

INSERT_LOCAL_SETTING = Statement(
    insert(BWT.settings).values(key=bindparam("key"), value=bindparam("value")), "insert local setting"
)

UPDATE_LOCAL_SETTING = Statement(
    update(BWT.settings).where(BWT.settings.c.key == bindparam("of_key")).values(value=bindparam("value")),
    "update local setting",
)

FIND_REQUEST = Statement(
    select(BWT.requests.c.argsHash, BWT.requests.c.transactionId, BWT.requests.c.result).where(
        BWT.requests.c.userId == bindparam("user_id"),
        BWT.requests.c.originator == bindparam("originator"),
        BWT.requests.c.key == bindparam("key"),
    ),
    "find request",
)

INSERT_REQUEST = Statement(
    insert(BWT.requests).values(
        userId=bindparam("user_id"),
        originator=bindparam("originator"),
        key=bindparam("key"),
        argsHash=bindparam("args_hash"),
        transactionId=bindparam("transaction_id"),
        result=bindparam("result"),
        created_at=bindparam("now"),
    ),
    "insert request",
)
