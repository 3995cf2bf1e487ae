# %% [markdown]
# ## 9 Questions
#
# There is no single right answer. Say what you would do, why, and what you would measure. Three to six sentences each.

# %% [markdown] question="optimizer_memory" points=2 topics="sgd_momentum, rmsprop, adam"
# **Question 1.** You want to train all 300 million weights of a network on a device with 4 GB of memory, in float32. Which of the optimizers above fit, counting
# weights, gradients and state? What is missing from that count? Name two ways to make Adam possible after all and say what each costs.
#
# ### BEGIN SOLUTION
# Each number takes 4 bytes, so one tensor of all weights is 1.2 GB. Weights and gradients are 2.4 GB (SGD fits), with one state tensor 3.6 GB (momentum and RMSProp fit, barely), with two 4.8 GB (Adam
# does not). Activations are missing; they grow with the batch and may well decide against momentum too, as do the optimizer's temporary tensors. Ways out: keep Adam's state in 8 or 16 bits (1.2 to 1.8 GB less; noise in the steps, and small values of $s$ need care);
# train only part of the weights, such as low-rank additions or biases (state and gradients only for those; the network can change less); use a smaller network; keep the state in the memory of the host (slow transfers in each step). Momentum with a good schedule is the alternative
# without tricks: the price is a search for its learning rate. I would measure peak memory over one real step before deciding.
# ### END SOLUTION

# %% [markdown] question="small_is_not_zero" points=2 topics="weight_decay, l1_map"
# **Question 2.** A colleague trained with AdamW and finds that 60% of the weights are below 0.001 in size. She wants to report "a model 60% smaller". What would you tell her?
# What would she have to do, and to measure, before such a sentence is true?
#
# ### BEGIN SOLUTION
# Small is not zero: decay shrinks weights by a factor and never reaches zero, so all of them are still stored and multiplied. Nor is 0.001 small in itself: it depends on the size of the activations that it multiplies and on the other weights of its layer. She can set them to zero (or train on with
# an L1 prior and proximal steps) and must then measure accuracy again, and probably train on to win it back. Even 60% true zeros are not 60% smaller: CSR stores an index with each weight, so 40% of the weights at 8 bytes are 80% of the dense size. Time is another matter again and must be measured with a
# kernel that skips zeros on the device in question. If whole neurons are zero they can be cut out, and the dense matrices themselves become smaller and faster.
# ### END SOLUTION

# %% [markdown] question="two_momentums" points=2 topics="sgd_momentum, lr_schedules"
# **Question 3.** Some texts write momentum as $v \leftarrow \mu v + \eta g,\ w \leftarrow w - v$, with the learning rate inside the velocity. Show that this is the same as the form above while $\eta$
# is constant. Then $\eta$ falls to a tenth at a milestone. What does each form do in the next steps, and which would you rather have at the end of a warm-up or at a milestone?
#
# ### BEGIN SOLUTION
# With constant $\eta$ the inner velocity is always $\eta$ times the outer one: both start at 0, and multiplying $v \leftarrow \mu v + g$ by $\eta$ gives the other recurrence; so the steps are equal. At the milestone the form above takes steps ten times smaller
# at once, since the rate multiplies the whole velocity. With the rate inside, the old velocity was collected at the old rate and fades by $\mu$ per step: for $\mu = 0.9$ it takes about 20 steps until they are within twice the new size. The first reacts exactly as the schedule says, which makes results easier to
# reproduce when settings are taken from elsewhere; the second is smoother at sudden falls, and lags behind in a warm-up, which makes it a little more cautious there. With milestones hundreds of steps apart the difference is small. What matters is to know which form a library has before copying a learning rate.
# ### END SOLUTION

# %% [markdown]
# ## 10 Where this comes from
#
# - Back-propagation: D. Rumelhart, G. Hinton, R. Williams, *Learning representations by back-propagating errors*, Nature 323, 1986.
# - Dropout: N. Srivastava and others, *Dropout: a simple way to prevent neural networks from overfitting*, JMLR 15, 2014. Dropout that prepares a network for removal: A. Fan, E. Grave, A. Joulin, *Reducing transformer depth on demand with structured dropout*, ICLR 2020.
# - Weight decay: A. Krogh, J. Hertz, *A simple weight decay can improve generalization*, NIPS 1991. Decoupled: I. Loshchilov, F. Hutter, *Decoupled weight decay regularization*, ICLR 2019.
# - L1: R. Tibshirani, *Regression shrinkage and selection via the lasso*, J. Royal Statistical Society B 58, 1996. The proximal step: I. Daubechies, M. Defrise, C. De Mol, *An iterative thresholding algorithm for linear inverse problems with a sparsity constraint*, Comm. Pure Appl. Math. 57, 2004.
# - Momentum: B. Polyak, *Some methods of speeding up the convergence of iteration methods*, USSR Comput. Math. Math. Phys. 4, 1964; I. Sutskever and others, *On the importance of initialization and momentum in deep learning*, ICML 2013.
# - RMSProp: T. Tieleman, G. Hinton, *Lecture 6.5*, Neural Networks for Machine Learning, 2012. Adam: D. Kingma, J. Ba, *Adam: a method for stochastic optimization*, ICLR 2015.
# - Schedules: I. Loshchilov, F. Hutter, *SGDR: stochastic gradient descent with warm restarts*, ICLR 2017; warm-up: P. Goyal and others, *Accurate, large minibatch SGD: training ImageNet in 1 hour*, 2017.
# - The digits: E. Alpaydin, C. Kaynak, *Optical recognition of handwritten digits*, UCI Machine Learning Repository, 1998.
