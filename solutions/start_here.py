# %% [markdown]
# # Small and fast networks
#
# In this course you make neural networks small and fast, and you measure that they are. You write the central
# idea of each method yourself, in a few lines, and then watch it pay off, or fail, on a real network. Every lab
# runs on a laptop without a GPU and without a network connection; a GPU lets you train longer.

# %% [markdown]
# ## How a notebook works
#
# - Run the cells from top to bottom with **Shift+Enter**. The first code cells choose settings and import what
#   is needed; after a restart of the kernel, run them and continue at any section.
# - An **exercise** holds a function with `# YOUR CODE HERE`. Write your code there, then run the **check** cell
#   below it: it says what is right and, if something is not, where to look. Check cells cannot be edited.
# - The checks you see are examples. Grading may ask further questions about the same functions, so code that
#   answers only the examples may earn little.
# - An **experiment** uses what you wrote on a real network and draws the result. Experiments carry no marks.
# - A **quiz** asks which of some statements are true. A share of the points goes to each statement judged rightly
#   and is taken for each judged wrongly, so a guess is worth nothing on average.
# - A **question** asks for a few sentences of judgement; a person reads them.
# - No exercise needs the answer of another: if one resists, go on and come back.

# %% [markdown]
# ## What this machine offers
#
# The cell below names the processor that your measurements will run on. In a terminal, `course doctor` tells more.

# %%
from course_lib import notebook

nb = notebook.start("start_here")

# %% [markdown]
# ## How far you are
#
# Run the cell below; run it again after some work. It counts the visible checks that passed when you last ran them, on
# this computer. `course progress` shows the same in a terminal. When a lab is done, `course submit lab1` looks whether
# something is missing and packs your notebooks into the file to hand in.

# %%
from course_lib import progress

progress.show()

# %% [markdown]
# ## The labs
#
# <!-- table of labs -->
