"""What the granulator knows of English: word classes, verb forms and plurals, as plain word lists.

The lists hold the closed classes whole and the open classes only as far as telling nouns from verbs needs. A word in
no list is judged by its ending and its neighbours (`tagging.py`), so text in another language passes through unharmed.
"""

from enum import Enum
from functools import lru_cache
from itertools import chain


class Tag(Enum):
    """The part a word plays where it stands."""

    DETERMINER = "determiner"
    PREPOSITION = "preposition"
    PRONOUN = "pronoun"
    CONJUNCTION = "conjunction"
    SUBORDINATOR = "subordinator"
    AUXILIARY = "auxiliary"
    MODAL = "modal"
    TO = "to"
    ADVERB = "adverb"
    NUMBER = "number"
    ADJECTIVE = "adjective"
    NOUN = "noun"
    VERB = "verb"
    PUNCTUATION = "punctuation"


def word_set(text: str) -> frozenset[str]:
    """The words of a text, set apart by white space, as a set."""
    return frozenset(text.split())


DETERMINERS = word_set(
    "a an the this these those each every either neither some any no all both half many much more most few fewer "
    "less least several other another such same my your his her its our their own"
)
PREPOSITIONS = word_set(
    "of in on at by for with from into onto over under between among amongst through throughout across against "
    "along around about above below behind beneath beside besides beyond near off out outside inside toward towards "
    "until till upon within without during before after per via despite than as like unlike down up except amid"
)
PRONOUNS = word_set(
    "i you he she it we they me him us them himself itself themselves ourselves yourself herself myself oneself who "
    "whom someone somebody something anything everything nothing nobody everyone everybody anyone anybody none "
    "others there it's that's there's he's she's let's we're they're you're i'm i've we've they've you've what's "
    "who's"
)
CONJUNCTIONS = word_set("and or but nor plus")
SUBORDINATORS = word_set(
    "that what which whose because although though while whereas if unless whether when whenever where wherever why "
    "how once since so"
)
AUXILIARIES = word_set(
    "be am is are was were been being have has had having do does did doing done isn't aren't wasn't weren't don't "
    "doesn't didn't hasn't haven't hadn't"
)
MODALS = word_set(
    "can could may might must shall should will would cannot ought can't couldn't won't wouldn't shouldn't mustn't"
)
ADVERBS = word_set(
    "not also too very only just even still already yet again always often never ever sometimes usually seldom "
    "perhaps maybe quite rather almost nearly twice thrice then now here thus hence therefore however moreover "
    "otherwise instead indeed meanwhile nevertheless nonetheless furthermore well far away together apart back "
    "forth soon later earlier ago enough else alone today tomorrow yesterday afterwards anyway somewhere everywhere "
    "nowhere anywhere overhead ashore offshore upstream downstream upwards downwards backwards forwards clockwise "
    "anticlockwise inland further farther faster slower alike ahead aside tonight anymore somehow somewhat likewise "
    "besides straight"
)
NUMBERS = word_set(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion dozen "
    "first second third fourth fifth sixth seventh eighth ninth tenth last next twelfth hundredth thousandth "
    "millionth tens hundreds thousands millions billions dozens hundredths thousandths millionths twelfths"
)

# Adjectives too weak to be part of a term: "large wave" says no more than "wave".
WEAK_ADJECTIVES = word_set(
    "large larger largest small smaller smallest great greater greatest little big bigger biggest good better best "
    "bad worse worst new newer newest old older oldest long longer longest short shorter shortest different similar "
    "various certain particular special general common usual typical normal ordinary important main major minor "
    "chief whole entire complete simple easy easier difficult possible impossible likely unlikely necessary useful "
    "able unable ready available sure clear real true false right wrong famous well-known strong stronger strongest "
    "weak weaker weakest high-quality enormous huge tiny vast wide wider narrow narrower heavier lighter nearest "
    "exact close closer closest early earliest late latest final initial current present former recent modern "
    "ancient single double separate equal extra additional further specific obvious actual visible odd even thin "
    "thinner thick thicker thorough slight slow quick rapid sudden gradual regular frequent rare natural proper "
    "suitable appropriate perfect excellent fine nice beautiful quiet own very mere sheer opposite fast careful "
    "gentle steady warmer hotter cooler colder lower higher deeper shallower bare brief broad busy cheap cheaper "
    "expensive clean dense empty familiar fresh happy interesting known unknown loose mild modest poor rich rough "
    "safe serious sharp stiff strange tall tight unusual worth worthwhile exceptional widespread wary unwary lowest "
    "highest deepest fewer quicker quickest simplest easiest hardest finest capable lone"
)
ADJECTIVES = WEAK_ADJECTIVES | word_set(
    "high low full warm hot cool cold light heavy soft hard dark deep shallow flat dry wet solid liquid raw sour "
    "sweet bitter salty fresh wild open closed human public private free foreign native local global inner outer "
    "upper middle northern southern eastern western north south east west lunar solar tidal red green blue white "
    "black brown yellow grey bright central internal external parallel vertical horizontal linear primary secondary "
    "wooden golden royal sacred holy Christian Roman Greek English French German Dutch Italian Spanish Chinese "
    "Japanese American British European African Asian movable mixed neap constant significant distant abundant "
    "dominant relevant efficient sufficient dependent independent frequent ancient permanent persistent consistent "
    "apparent transparent silent violent gentle elliptical circular angular nuclear molecular cellular military "
    "literary binary ordinary temporary voluntary necessary elementary"
)

# Nouns too general to stand alone as a term.
GENERIC_NOUNS = word_set(
    "thing way part kind sort type number case example fact time times place point side end amount lot people "
    "person man men woman women year day hour minute week month century decade night moment beginning middle top "
    "bottom reason result cause effect form matter question answer problem use word name idea set group pair piece "
    "rest course order instance sense something half quarter degree level line reader text chapter section page "
    "detail difference change step stage area range story picture work back front left right cent percent per-cent "
    "bit centimetre metre kilometre millimetre inch foot feet mile gram kilogram pound ounce second tonne ton litre "
    "centimeter meter kilometer millimeter liter knot hectopascal celsius fahrenheit january february march april "
    "june july august september october november december monday tuesday wednesday thursday friday saturday sunday "
    "today everything nothing anything hand start dozens tens hundreds thousands purpose means manner respect turn "
    "body system head edge date family calendar variety series collection majority minority couple note figure "
    "table rule value share sum lack need aim role size shape length width height depth weight strength speed "
    "distance direction position situation condition interval"
)

# Base forms of common verbs.
VERBS = word_set(
    "abandon abolish abort absorb accelerate accept accompany accumulate accuse achieve acquire acquit act adapt add "
    "adhere adjust administer admire adopt advertise affect agree alert align allocate allow amass amend analyse "
    "announce answer appear apply appoint approach approximate argue arise arm arrange arrive ask assert assess "
    "assume attach attract audit authenticate authorise avoid bake balance ban barter bear become begin behave "
    "believe belong bend besiege bind bite blame block blossom blur boil bolt bond borrow bounce brake branch break "
    "breathe breed brew brighten bring broadcast brown build bulge burn buy cache calculate calibrate call cancel "
    "carry carve cast catch cease centre charge chase cheat chew choose chop circulate cite claim clarify classify "
    "cleanse climb cling clone close coach collapse collect collide colonise combine come commence commit communicate "
    "compare compete compile complete compose compress comprise compute concern conclude condense configure confine "
    "confirm confuse connect conquer consider consist contain contaminate continue contract contrast contribute "
    "converge convert convey convict convince cook cool copy correspond corrode count cover crack crash crawl create "
    "criticise cross crush crystallise cultivate curb cure cut dance dangle darken deal debug decay deceive "
    "decelerate decide declare decline decode decompose decrypt deduce deepen defend define delete deliver demand "
    "demonstrate denote deny depend deploy deposit depress derive describe deserve destroy detect determine develop "
    "diagnose die differ differentiate diffract dig digest dim diminish disappear disconnect discover discuss dislike "
    "dismiss dispatch dissolve distil distinguish distort distribute diverge diversify divide domesticate double drag "
    "drain draw dread drench drift drink drive droop drown dry dwell dwindle earn eat edit elect elevate emerge "
    "emigrate emit emphasise employ empty enable encode encourage encrypt end enforce engrave enjoy enqueue ensure "
    "enter equal equip erode erupt escape establish estimate evaluate evaporate evolve examine exceed excite exclude "
    "excrete execute exert exhale exist expand expect explain explode exploit explore export express extend extract "
    "fade fail fear feed feel ferment fertilise fetch fight fill filter find finish fire fit flap flash flee flicker "
    "float flood flourish flow fly focus fold follow fool forbid force foretell forfeit forge forget forgive fork "
    "form fortify forward freeze fry furnish gain gather generate germinate get give glide glow go govern grade grate "
    "graze grease grind grow guard guide hammer hamper handle hang happen harden harvest hate haul heal heap hear "
    "heat heighten help herd hide highlight hike hinder hire hoist hop hover hunt identify ignore illustrate imagine "
    "immigrate immunise impede imply import improve include increase index indicate infect infer inflate influence "
    "inform inhabit inhale inherit inhibit initialise inject inquire insert insist inspect inspire install instruct "
    "integrate intend interact interfere introduce invade invent invest investigate invoke involve ionise issue join "
    "jump keep kill knead knit know lay lead lean leap learn leave lend lessen let liberate lie lift lighten limit "
    "linger listen live load lock log look loom loosen loot lose love lower lubricate maintain make manage march mark "
    "market mash match matter mature mean measure meet melt mentor merge merit metabolise migrate mine mislead mix "
    "modify moisten monitor motivate mould mount move multiply mushroom mutate narrow need negotiate neutralise "
    "notice notify obey observe obstruct obtain occupy occur offer oil omit operate oppose orbit organise organize "
    "originate oscillate outline outnumber outweigh overcome oversee overtake owe oxidise pack paddle paint "
    "paraphrase pardon park parse participate pass patrol pause pay peel perform perish permit persist persuade "
    "pertain pickle pile plant polish poll pollute polymerise populate pound pour praise precede precipitate predict "
    "prefer prepare prescribe preserve press prevent print proceed proclaim produce prohibit promote proofread "
    "propose protect prove provide prune publish pull pump punish purify push put query question queue quicken quit "
    "quote radiate raid raise rank ratify reach react read realise realize reap reappear rebel rebound recall recede "
    "receive recognise recognize recommend record recycle redirect reduce refer reflect refract refuse regard "
    "regulate rehearse reign reinforce relate relax release relieve rely remain remember remove render repeal repeat "
    "repel replace replicate reply report represent reproduce require resemble reside resist resonate respect respond "
    "restore restrict result resume retain retire retreat retry reuse reveal reverse revise revolt revolve ricochet "
    "ride rinse ripen rival roam roast roll rollback rot rotate round route row rub rule run rust sag sail satisfy "
    "save saw say scale scatter schedule scrape scratch scrub sculpt seal search season secrete seek seem select sell "
    "send sentence separate serve settle sew shape share sharpen shatter shift shine show shrink shut sign signal "
    "signify simmer sing sink sit slant slice slide slip slope slow smash smell smelt smoke snap soak soar soften "
    "solve sort sound sow sparkle speak specialise specify spend spin split spray spread spring sprinkle sprout "
    "squash squeeze stabilise stack stand start state stay steep steepen steer stem stick stiffen stimulate stir stop "
    "store storm strengthen stress stretch strike study stuff submit subtract succeed suffer suffice suggest suit "
    "summarise supersede supervise supply support suppose surpass surrender surround survive swallow sweep swell swim "
    "swing take talk taste tax teach tear tell tempt tend terminate test thicken thin think thrive throw tighten tilt "
    "touch tow tower trace trade train transfer transform translate transmit travel treat trick trim try tumble turn "
    "twist uncover undergo underline understand unload unlock unpack unseal unwrap update use vaccinate validate "
    "vanish vary veto vibrate vote wait walk wander want warm warn wash waste watch weaken wear weave weigh weld wet "
    "whisk widen win wipe wither wonder work wrap write yield"
)
# Verbs that are as often nouns; only their neighbours tell which.
NOUN_VERBS = word_set(
    "alert answer approach arm attack balance ban bank base beat benefit bite blame block blow bolt bond book bounce "
    "brake branch break brew broadcast brown bulge burn cache call cast catch cause centre change charge chase claim "
    "clone close coach concern contact contract contrast control cook cool copy cost count cover crack crash cream "
    "crop cross crush cure cut cycle dam damage dance deal decay delay demand design die dose double drain draw dread "
    "dream drift drink drive drop dry dust dye ebb edit end equal escape estimate exchange exercise experience "
    "experiment export face factor fall fear feature feed fight filter finish fire fit flash flood flow fly focus "
    "fold fool force forge fork form forward frame freeze fry function gain glue grade grant grease guard guide "
    "hammer hand harvest hate haul head heap heat help herd hike hoist home hop house import increase index influence "
    "ink interest issue judge jump knot land lay lead lean leap lift light limit link load lock log look loss love "
    "machine map march mark market match matter measure milk mine mirror mix model mould mount move name need note "
    "notice offer oil orbit order outline pack paint paper park pass patrol pause pay pile place plan plant plate "
    "play point praise press print process produce project promise proof protest pull pump push query question queue "
    "quote raid raise range rank rate reach reason record reign release report request reserve respect rest result "
    "retreat retry return reverse review revolt reward rhythm ride ring rise risk rival roast rock roll root rot "
    "round route row rule run rust sail salt sand saw scale score screen seal search season seat sense sentence shade "
    "shape share shell shift ship show shower sign signal sink sleep slice slide slip slope smell smoke snap snow "
    "sort sound space spark split spray spread spring stack stage stand start state stay steam stem step stone stop "
    "store storm stream stress stretch strike strip struggle study stuff sum supply support surge sweep swell swim "
    "swing talk taste tax tear test tilt time touch tow tower trace track trade train transfer trap travel treat "
    "trend trick trim turn twist type update use value view volume vote wait walk wash waste watch water weight wheel "
    "wind work wound yield"
)
_IRREGULAR = {
    "arise": "arose arisen", "bear": "bore borne", "become": "became", "begin": "began begun", "bend": "bent",
    "bind": "bound", "blow": "blew blown", "break": "broke broken", "bring": "brought", "build": "built",
    "buy": "bought", "catch": "caught", "choose": "chose chosen", "cling": "clung", "come": "came", "deal": "dealt",
    "dig": "dug", "draw": "drew drawn", "drink": "drank drunk", "drive": "drove driven", "eat": "ate eaten",
    "fall": "fell fallen", "feed": "fed", "feel": "felt", "fight": "fought", "find": "found", "flee": "fled",
    "forbid": "forbade forbidden", "foretell": "foretold", "forget": "forgot forgotten", "freeze": "froze frozen",
    "get": "got gotten", "give": "gave given", "go": "went gone goes", "grind": "ground", "grow": "grew grown",
    "hear": "heard", "hide": "hid hidden", "hold": "held", "keep": "kept", "know": "knew known", "lay": "laid",
    "lead": "led", "leave": "left", "lend": "lent", "lie": "lay lain lying", "lose": "lost", "make": "made",
    "mean": "meant", "meet": "met", "overcome": "overcame", "overtake": "overtook overtaken", "pay": "paid",
    "rise": "rose risen", "run": "ran running", "say": "said", "seek": "sought", "sell": "sold", "send": "sent",
    "show": "shown", "shrink": "shrank shrunk", "sink": "sank sunk", "sit": "sat", "speak": "spoke spoken",
    "spend": "spent", "spin": "spun", "spring": "sprang sprung", "stand": "stood", "stick": "stuck", "strike": "struck",
    "sweep": "swept", "swell": "swollen", "swim": "swam swum", "swing": "swung", "take": "took taken",
    "teach": "taught", "tell": "told", "think": "thought", "throw": "threw thrown", "undergo": "underwent undergone",
    "understand": "understood", "wear": "wore worn", "win": "won", "write": "wrote written", "die": "dying",
}  # fmt: skip
# Words in -ing and -ed that are no forms of a verb.
NOT_INFLECTED = word_set(
    "thing king ring string spring wing evening morning ceiling during nothing something anything everything being "
    "bring sing sling sting cling swing building beginning bed red seed need feed speed weed deed breed hundred "
    "sacred naked wicked shed sled led fled bred indeed embed exceed proceed succeed greed reed steed"
)
# Nouns that end like adjectives.
NOUNS_LIKE_ADJECTIVES = word_set(
    "canal signal animal material metal coral mineral journal capital interval terminal proposal arrival removal "
    "approval hospital festival medal cathedral rival survival trial goal coal deal meal seal petal pedal sandal "
    "crystal cereal total music topic traffic fabric logic arithmetic public arctic atlantic critic clinic republic "
    "panic mechanic magic plastic ceramic logistic statistic archive motive olive native relative alternative "
    "objective perspective locomotive detective executive table cable stable variable vegetable timetable fable "
    "handful bible individual manual chemical principal criminal professional official"
)
_ADJECTIVE_ENDINGS = ("ous", "ful", "less", "able", "ible", "ive", "al", "ic", "ish", "esque", "ular")
_VOWELS = frozenset("aeiou")


def _inflections(verb: str) -> tuple[str, ...]:
    """The regular forms of a verb: third person, past and participles, doubling a last consonant where usual."""
    if verb.endswith("e"):
        return verb + "s", verb[:-1] + "ing", verb + "d"
    if verb.endswith("y") and verb[-2] not in _VOWELS:
        return verb[:-1] + "ies", verb + "ing", verb[:-1] + "ied"
    third = verb + ("es" if verb.endswith(("s", "x", "z", "ch", "sh", "o")) else "s")
    doubled = verb + verb[-1]
    return third, verb + "ing", verb + "ed", doubled + "ing", doubled + "ed"


def _forms(verbs: frozenset[str]) -> frozenset[str]:
    irregular = chain.from_iterable(_IRREGULAR[verb].split() for verb in verbs if verb in _IRREGULAR)
    return verbs | frozenset(chain.from_iterable(_inflections(verb) for verb in verbs)) | frozenset(irregular)


def _bases(verbs: frozenset[str]) -> dict[str, str]:
    """Each inflected form with its base; where two verbs share one, the alphabetically first has it."""
    bases: dict[str, str] = {}
    for verb in sorted(verbs):
        for form in (*_inflections(verb), *_IRREGULAR.get(verb, "").split()):
            bases.setdefault(form, verb)
    return bases


VERB_BASES = VERBS | NOUN_VERBS
_BASES = _bases(VERB_BASES)
VERB_FORMS = _forms(VERB_BASES)
# A form is ambiguous when it reads as a noun too: the base and its -s, but never the past.
AMBIGUOUS_FORMS = NOUN_VERBS | frozenset(_inflections(verb)[0] for verb in NOUN_VERBS)

CLOSED_CLASSES: dict[str, Tag] = {
    word: tag
    for tag, words in (
        (Tag.NUMBER, NUMBERS),
        (Tag.ADVERB, ADVERBS),
        (Tag.PREPOSITION, PREPOSITIONS),
        (Tag.SUBORDINATOR, SUBORDINATORS),
        (Tag.CONJUNCTION, CONJUNCTIONS),
        (Tag.PRONOUN, PRONOUNS),
        (Tag.DETERMINER, DETERMINERS),
        (Tag.AUXILIARY, AUXILIARIES),
        (Tag.MODAL, MODALS),
        (Tag.TO, frozenset({"to"})),
    )
    for word in words
}
STOP_WORDS = frozenset(CLOSED_CLASSES) - NUMBERS
_ADJECTIVES_FOLDED = frozenset(word.lower() for word in ADJECTIVES)


def is_adjective(word: str) -> bool:
    """Whether a lower-case word is an adjective by the list or by its ending."""
    if word in _ADJECTIVES_FOLDED:
        return True
    return len(word) > 5 and word.endswith(_ADJECTIVE_ENDINGS) and word not in NOUNS_LIKE_ADJECTIVES


def base_form(word: str) -> str | None:
    """The base of an inflected lower-case verb: "write" of "writes", "written"; None for what is no such form."""
    return _BASES.get(word)


def is_participle(word: str, ending: str) -> bool:
    """Whether a lower-case word is a verb's form in the given ending, "ing" or "ed"."""
    return len(word) > 4 and word.endswith(ending) and word not in NOT_INFLECTED


@lru_cache(maxsize=65_536)
def fold(word: str) -> str:
    """A word without case, possessive and plural, so that "Tides", "tide's" and "tide" are one term.

    The plural rules are Harman's S-stemmer ("How effective is suffixing?", JASIS 42, 1991), with "-is" left alone.
    """
    word = word.casefold().removesuffix("'s").removesuffix("’s").rstrip("'’")
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "zzes")):
        return word[:-2]
    return word[:-1]


def plural(noun: str) -> str:
    """The regular plural of a singular noun; a noun that is one already is left as it is."""
    if fold(noun) != noun.casefold():
        return noun
    if noun.endswith("y") and noun[-2:-1] not in _VOWELS:
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "z", "ch", "sh")) else "s")
