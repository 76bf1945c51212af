"""Nouns that stand for people and for places: whom a text may speak of as acting, and where it may say that it happens.

The lists need not be whole: a noun in neither is a thing.
"""

from typing import Final

from workers.granulator.language.english import fold, word_set

PEOPLE: Final = word_set(
    "accountant actor administrator adviser agent analyst applicant apprentice architect archivist artist assistant "
    "auditor author baker barber bishop boatman bookkeeper boss boy builder butcher buyer captain caretaker carpenter "
    "chairman chairwoman chef chief child citizen clerk client coach colleague colonel columnist commander "
    "committee companion contractor cook coordinator councillor counsellor crew customer dancer dealer dentist "
    "designer detective developer diplomat director dispatcher doctor driver duchess duke editor emperor employee "
    "employer engineer examiner expert farmer ferryman fisherman foreman friend gardener general giant girl governor "
    "guard guardian guest hairdresser healer hero heroine hunter innkeeper inspector instructor "
    "investigator janitor journalist judge juror keeper king knight lady landlady landlord lawyer lead leader "
    "lecturer librarian lieutenant lord maid magistrate maintainer manager master mayor mechanic member merchant "
    "messenger midwife miller miner minister moderator monk musician neighbour neighbor novelist nun nurse officer "
    "operator orphan owner painter passenger patient patrol pharmacist photographer physician pilot planner player "
    "poet policeman policewoman porter postman president priest prince princess principal prisoner producer "
    "professor programmer publisher pupil queen recruiter referee reporter representative requester researcher "
    "responder reviewer rider ruler sailor salesman scholar schoolmaster scientist scribe secretary sergeant servant "
    "shepherd sheriff shopkeeper singer sister-in-law smith smuggler soldier sorcerer specialist spy steward stranger "
    "student supervisor supplier surgeon surveyor tailor teacher team technician teller tester therapist thief tutor "
    "user vicar victim villager visitor volunteer waiter waitress warden watchman weaver widow widower witch witness "
    "wizard woodcutter worker writer approver assessor mentor trainer trainee buyer vendor sponsor staff personnel "
    "department board council"
)
KIN: Final = word_set(
    "father mother brother sister son daughter uncle aunt cousin grandfather grandmother husband wife grandson "
    "granddaughter nephew niece twin stepmother stepfather baby man woman boy girl child"
)
# Words in front of a person's name.
FORMS_OF_ADDRESS: Final = word_set(
    "mr mrs ms miss dr sir lord lady captain colonel major sergeant professor king queen prince princess saint uncle "
    "aunt father mother brother sister doctor inspector judge reverend count countess duke duchess emperor general"
)
# Words that end or open a place's name.
PARTS_OF_PLACE_NAMES: Final = word_set(
    "street road lane avenue square bay point island islands isle harbour harbor river sea ocean gulf lake mount "
    "mountain mountains hill hills valley forest castle bridge park abbey cathedral port cape fort desert canal strait "
    "city town village county firth channel estuary station north south east west"
)
_NO_PLACES_ALONE = word_set("north south east west point bridge channel port")
PLACES: Final = (PARTS_OF_PLACE_NAMES - _NO_PLACES_ALONE) | word_set(
    "apartment attic alley barn basement beach bedroom bakery boat boathouse cabin café camp carriage cave cellar "
    "chapel church classroom cliff clinic coast corridor cottage court courtroom courtyard deck dock engine-room "
    "factory farm farmhouse ferry field garage garden gate greenhouse hall hospital hotel house hut inn jetty jungle "
    "kitchen laboratory landing library lighthouse mainland manor market marsh meadow mill mine monastery museum "
    "office orchard palace parlour pier platform pond prison pub quay quarry reef restaurant roof room school shed "
    "ship shop shore stable stairs stairway studio study swamp tavern temple tent theatre tower train tunnel village "
    "warehouse well woods wood workshop yard lamp-room airport"
)


def is_person(noun: str) -> bool:
    """Whether a noun, in either number, stands for someone."""
    word = fold(noun)
    return word in PEOPLE or word in KIN


def is_place(noun: str) -> bool:
    """Whether a noun, in either number, stands for somewhere."""
    return fold(noun) in PLACES or noun.casefold() in PLACES
