import pytest
from hypothesis import given
from hypothesis import strategies as st

from homogaudit.signals.entities import entities


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Who painted the Mona Lisa?", ("Mona Lisa",)),
        ("Which river flows through Baghdad?", ("Baghdad",)),
        ("In what country was Barack Obama born?", ("Barack Obama",)),
        ("Did Adam and Eve live in the Garden of Eden?", ("Adam", "Eve", "Garden of Eden")),
        ("When was the Lord of the Rings by Tolkien written?", ("Lord of the Rings", "Tolkien")),
        ("Where was Ludwig van Beethoven born?", ("Ludwig van Beethoven",)),
        ('Who composed the opera "Carmen"?', ("Carmen",)),
        (
            "What does Darth Vader say to Luke in “The Empire Strikes Back”?",
            ("Darth Vader", "Luke", "The Empire Strikes Back"),
        ),
        ("What does the letter 'C' mean in the U.S. today?", ("C", "U.S.")),
        ("Is the US larger than China?", ("US", "China")),
        ("What was Apollo 11?", ("Apollo 11",)),
        ("Where is Walt Disney's body?", ("Walt Disney",)),
        ("Which city, Boston, Massachusetts or Paris, is older?", ("Boston", "Massachusetts", "Paris")),
        ("Which year did the Battle of Stalingrad end, and who was Stalin?", ("Battle of Stalingrad", "Stalin")),
        ("What did Paul Revere see? Revere rode by night.", ("Paul Revere",)),
        ("Einstein was born in which town?", ("Einstein",)),
        ("What happened on Monday, March 3, in May?", ()),
        ("What I think is that I'm right.", ()),
        ("Où est née Édith Piaf?", ("Où", "Édith Piaf")),
        ("what did james k polk do?", ()),
        ("WHO WAS THE FIRST MAN ON THE MOON?", ()),
        ('Who Was The First Man In "Space Jam"?', ("Space Jam",)),
        ("", ()),
        ("Paris? paris! PARIS", ("Paris",)),
    ],
)
def test_entities_of_a_question(text: str, expected: tuple[str, ...]) -> None:
    assert entities(text) == expected


@given(st.text(max_size=80))
def test_entities_are_distinct_and_never_empty(text: str) -> None:
    found = entities(text)
    assert all(entity.strip() for entity in found)
    assert len({entity.casefold() for entity in found}) == len(found)
