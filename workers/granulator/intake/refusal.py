"""Why a document cannot be used: one sentence about it, which says what its sender can do."""

from typing import Self


class UnusableDocument(ValueError):
    """A document that no text can be had from; `fault` is a sentence without its subject, as in "is empty; ..."."""

    def __init__(self, fault: str, subject: str = "The document") -> None:
        super().__init__(f"{subject} {fault}")
        self.fault = fault

    def of(self, subject: str) -> Self:
        """The same fault, said of the document by its name."""
        return type(self)(self.fault, subject)
