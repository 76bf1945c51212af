"""Source texts for the granulator's tests: the shipped examples, bare of headings too, a shorter one, and odd ones."""

from pathlib import Path

_EXAMPLES = Path(__file__).parents[2] / "templates/examples"
TIDES = (_EXAMPLES / "course_from_document.md").read_text(encoding="utf-8")
OUTAGE = (_EXAMPLES / "workflow_design.md").read_text(encoding="utf-8")
LAMP = (_EXAMPLES / "novel_planning.md").read_text(encoding="utf-8")

FLAT = "\n\n".join(line for line in TIDES.splitlines() if line and not line.startswith("#"))

FRENCH = (
    "La marée\n\nLa marée est la variation de la hauteur du niveau des mers, causée par la Lune et par le Soleil. "
    "Le marnage est la différence de hauteur entre la pleine mer et la basse mer.\n\n"
    "Les vives-eaux\n\nLors de la pleine lune, la Terre, le Soleil et la Lune sont alignés. Les marées sont fortes."
)

CHINESE = "潮汐是海水的周期性运动。月球的引力是主要原因。\n\n大潮发生在新月和满月。此时太阳、地球和月球在一条直线上。"

ONE_SENTENCE = "The cat sat on the mat and purred."

BREAD = """\
BREAD FERMENTATION

How flour, water and time become a loaf

INTRODUCTION

Bread is one of the oldest prepared foods. Every loaf begins with the same few ingredients, but the flavour and
the texture of the finished bread depend on what microbes do to the dough. This guide explains what happens
during fermentation and how a baker can steer it.

1. WHAT YEAST DOES

Yeast is a single-celled fungus that feeds on sugar. In the dough, enzymes from the flour break starch into
simple sugars. The yeast ferments the sugars and releases carbon dioxide and alcohol. Carbon dioxide inflates
the dough, while alcohol evaporates in the oven. Because yeast works faster in warm dough, a change of five
degrees can halve the rising time.

Most bakers use one of two kinds of yeast. Fresh yeast is sold in moist blocks and must be kept cold. Dried
yeast keeps for a year, but it must be dissolved in warm water unless it is of the instant kind. To replace
fresh yeast by dried yeast, use half the weight.

2. GLUTEN AND STRUCTURE

Wheat flour contains two proteins, glutenin and gliadin. When flour is mixed with water, the proteins link into
long elastic strands called gluten. Gluten traps the gas that the yeast gives off, and so the dough rises. Rye
flour has little gluten, whereas wheat flour has plenty, and this is why rye bread is dense.

Kneading stretches the strands and lines them up. Knead the dough by hand for ten minutes. Stop when the dough
can be stretched into a thin sheet without tearing. Salt tightens the gluten and slows the yeast, so a dough
without salt is slack and rises too fast.

3. SOURDOUGH

A sourdough starter is a culture of wild yeast and lactic acid bacteria. The bacteria produce lactic acid and
acetic acid, which give the bread its sour taste. A warm starter makes more lactic acid, whereas a cool starter
makes more acetic acid. The acids also keep the bread from going mouldy.

Feed the starter every day with equal weights of flour and water. If the starter is not fed, the acids build up
and the yeast weakens. A ripe starter doubles in volume within six hours and floats in water.

4. PROVING AND BAKING

Proving is the last rise of the shaped loaf. An underproved loaf tears in the oven, because too much gas is
still being made. An overproved loaf collapses, because the gluten can no longer hold the gas. Press the loaf
with a finger to test it. If the dent fills slowly, the loaf is ready for the oven.

In the oven the gas expands and the loaf springs up by a third. This is called oven spring. Steam keeps the
crust soft during the first ten minutes, so that the loaf can expand. At 60 degrees the yeast dies, and at 70
degrees the gluten sets. The crust browns when sugars and proteins react at high heat, which is known as the
Maillard reaction.
"""
