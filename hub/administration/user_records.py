"""What the hub notes of somebody beside its database: which terms of use they accepted, how large their home is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hub.storage.quota import ledger_in
from hub.web.terms_store import acceptances_in


@dataclass(frozen=True)
class Traces:
    """Of one user, in the hub's volume."""

    data_dir: Path
    user: str
    home: str
    """The volume."""

    def there(self) -> bool:
        """Whether there is anything."""
        accepted = acceptances_in(self.data_dir)
        return accepted.has_any(self.user) or ledger_in(self.data_dir).has(self.home)

    def forget(self) -> None:
        """Nothing of them is kept; not before the home is gone, or it is measured anew."""
        acceptances_in(self.data_dir).delete(self.user)
        ledger_in(self.data_dir).delete(self.home)
