# %% [markdown]
# ## 8. Questions
#
# Answer in a few sentences, with numbers where they help.

# %% [markdown] question="choose_pretext_task" points=3 topics="contrastive, mae"
# **Question 1.** A factory has two million photographs of circuit boards from one fixed camera and 300 labelled ones.
# The defects are small: a scratch, a missing part, a part of the wrong colour. A colleague proposes SimCLR with its
# usual views, which crop, mirror, blur and change colours, and a linear probe. What do you change, and how do you find
# out whether pre-training was worth it?
#
# ### BEGIN SOLUTION
# Views decide what is lost. Changes of colour hide the wrong colour, blur hides the scratch, mirroring makes a part
# that was put in the wrong way round look right, and a crop may cut the defect out of one view only, so that the
# features are asked to ignore it. Keep the changes that the camera really makes: small shifts, brightness, noise. All
# boards look nearly the same, so "other image" is a weak negative: the defect may be all that differs, and with views
# this mild the cheapest answer may be light or noise. Masked autoencoding needs no such views, and its error at a place
# is itself a sign of a defect, but small defects are few pixels of its loss; hiding less or normalising patches helps.
# Worth: on held-out labelled boards, compare (1) a network trained from scratch on the 300 with the same views and
# enough steps, (2) the probe, (3) fine-tuning from the pre-trained weights, (4) a network trained on other data, all
# over several seeds or folds, since 300 labels make differences of a few points noise. Full marks need at least two
# views named as harmful with the reason, and a comparison with training from scratch.
# ### END SOLUTION

# %% [markdown] question="read_the_losses" points=2 topics="contrastive"
# **Question 2.** Two teams pre-train on the same images with NT-Xent. Team A reports a loss of 2.6 with 32 images
# in a batch and $\tau = 0.5$; team B reports 2.9 with 512 images and $\tau = 0.1$. Team A claims the better encoder.
# What do you answer? Which number tells you more, and what would you want to see in the end?
#
# ### BEGIN SOLUTION
# The losses cannot be compared. Guessing costs log(63) = 4.1 nats for A and log(1023) = 6.9 for B, so A is 1.5 nats
# below guessing and B 4.0. The lowest possible loss differs as well: even with each pair identical and all other
# views at right angles, A gets log(1 + 62 e^-2) = 2.2, because at temperature 0.5 the logits span too little, while B
# gets log(1 + 1022 e^-10) = 0.05. And views that are too easy lower both. The share of views that find their partner
# among a fixed number of candidates, on held-out images and with the same views, does not depend on batch size and
# temperature. In the end only the later task counts: probe or fine-tuned accuracy with the labels one will have, with
# the same encoder and the same time of training, over several seeds.
# ### END SOLUTION

# %% [markdown]
# ## Read more
#
# - van den Oord, Li, Vinyals: *Representation Learning with Contrastive Predictive Coding*, 2018,
#   [arXiv:1807.03748](https://arxiv.org/abs/1807.03748). InfoNCE and the bound on information.
# - Wu, Xiong, Yu, Lin: *Unsupervised Feature Learning via Non-Parametric Instance Discrimination*, CVPR 2018,
#   [arXiv:1805.01978](https://arxiv.org/abs/1805.01978). The weighted nearest-neighbour vote.
# - Chen, Kornblith, Norouzi, Hinton: *A Simple Framework for Contrastive Learning of Visual Representations*
#   (SimCLR), ICML 2020, [arXiv:2002.05709](https://arxiv.org/abs/2002.05709). Which views matter, measured.
# - He, Fan, Wu, Xie, Girshick: *Momentum Contrast for Unsupervised Visual Representation Learning* (MoCo), CVPR
#   2020, [arXiv:1911.05722](https://arxiv.org/abs/1911.05722). A queue of negatives.
# - Wang, Isola: *Understanding Contrastive Representation Learning through Alignment and Uniformity on the
#   Hypersphere*, ICML 2020, [arXiv:2005.10242](https://arxiv.org/abs/2005.10242).
# - Wang, Liu: *Understanding the Behaviour of Contrastive Loss*, CVPR 2021,
#   [arXiv:2012.09740](https://arxiv.org/abs/2012.09740). What the temperature does.
# - He, Chen, Xie, Li, Dollár, Girshick: *Masked Autoencoders Are Scalable Vision Learners*, CVPR 2022,
#   [arXiv:2111.06377](https://arxiv.org/abs/2111.06377).
