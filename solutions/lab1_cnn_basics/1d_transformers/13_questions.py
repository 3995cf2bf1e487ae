# %% [markdown]
# ## 13. Questions
#
# Answer in a few sentences, with numbers where they help.

# %% [markdown] question="choose_attention" points=3 topics="attention, window_attention, linear_attention"
# **Question 1.** A camera sends pictures of 512x512 pixels to a small device that must mark every pixel of a
# road. A colleague proposes a ViT with patches of 4x4 pixels and width 64. Work out what global attention would
# cost, compare it with windows of 8x8 tokens and with linear attention, and choose. What does your choice give up,
# and how would you find out whether that matters here?
#
# ### BEGIN SOLUTION
# 128 x 128 = 16,384 tokens. Global attention multiplies 2 * 16,384^2 * 64 = 34 billion times per layer for scores
# and mixing (the four projections and the feed-forward part take 12 * 64^2 * 16,384 = 0.8 billion), and one
# head's scores in float32 take 1 GB unless a fused kernel avoids storing them. Windows of 64 tokens:
# 2 * 16,384 * 64 * 64 = 0.13 billion, 256 times less. Linear attention with d_k = 16 per head: 2 * 16,384 * 64 * 16
# = 0.03 billion. Either makes attention cheaper than the projections. Windows give up long range within a layer: with
# shifts the reach grows by half a window per layer, so a road that crosses the picture is put together over many
# layers or by merging patches. Linear attention sees everything but cannot focus: its weights do not
# sharpen with larger queries, so it is usually paired with convolutions for local detail, as EfficientViT does.
# To find out: train both at equal time on the device, and compare the error near and far from road edges; or
# measure on a trained global model how much weight falls outside a window. Full marks for either choice with right
# numbers and a test that could overturn it.
# ### END SOLUTION

# %% [markdown] question="transformer_or_not" points=3 topics="pre_transformer, attention"
# **Question 2.** You have 2 MB of log lines, a microcontroller that reads one byte at a time, and a few seconds of
# training. Which of the models of section 1 do you take, and what would have to change before you would take the
# transformer? Use what you measured.
#
# ### BEGIN SOLUTION
# At this budget the recurrent and convolutional models have the lower loss on text, because most of what predicts a
# byte lies a few bytes back, and they have that built in while a transformer must first learn to look there. On a
# device that reads byte by byte, the LSTM (or a GRU) keeps a state of fixed size and does the same small work per byte; a
# transformer must keep the keys and values of all bytes before, and its work per byte grows with them. So: LSTM,
# or the convolution with a ring buffer of its field. The transformer becomes the right choice when the answer
# depends on something far back that must be looked up exactly (the copying task, where the recurrent state is a
# bottleneck), when there is far more data and training time (its loss keeps falling, and all positions train at
# once on parallel hardware), or when sequences are short enough for its memory. Evidence to ask for: loss against
# training time at ten times the budget, and loss as a function of distance to the needed information.
# ### END SOLUTION

# %% [markdown]
# ## Read more
#
# - Vaswani et al.: *Attention Is All You Need*, NeurIPS 2017,
#   [arXiv:1706.03762](https://arxiv.org/abs/1706.03762).
# - Bai, Kolter, Koltun: *An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence
#   Modeling*, 2018, [arXiv:1803.01271](https://arxiv.org/abs/1803.01271). Section 1, in full.
# - Sennrich, Haddow, Birch: *Neural Machine Translation of Rare Words with Subword Units*, ACL 2016,
#   [arXiv:1508.07909](https://arxiv.org/abs/1508.07909). Byte-pair encoding.
# - Elhage et al.: *A Mathematical Framework for Transformer Circuits*, 2021,
#   [transformer-circuits.pub](https://transformer-circuits.pub/2021/framework/index.html). What heads do, and
#   why induction heads (find the last occurrence, copy what followed) need two layers.
# - Hendrycks, Gimpel: *Gaussian Error Linear Units*, 2016, [arXiv:1606.08415](https://arxiv.org/abs/1606.08415).
# - Ba, Kiros, Hinton: *Layer Normalization*, 2016, [arXiv:1607.06450](https://arxiv.org/abs/1607.06450).
# - Zhang, Sennrich: *Root Mean Square Layer Normalization*, NeurIPS 2019,
#   [arXiv:1910.07467](https://arxiv.org/abs/1910.07467).
# - Xiong et al.: *On Layer Normalization in the Transformer Architecture*, ICML 2020,
#   [arXiv:2002.04745](https://arxiv.org/abs/2002.04745). Pre-norm, post-norm and warm-up.
# - Devlin et al.: *BERT*, NAACL 2019, [arXiv:1810.04805](https://arxiv.org/abs/1810.04805). Radford et al.:
#   *Language Models are Unsupervised Multitask Learners*, 2019 (GPT-2). Raffel et al.: *Exploring the Limits of
#   Transfer Learning with a Unified Text-to-Text Transformer*, JMLR 2020,
#   [arXiv:1910.10683](https://arxiv.org/abs/1910.10683) (T5).
# - Dosovitskiy et al.: *An Image is Worth 16x16 Words*, ICLR 2021,
#   [arXiv:2010.11929](https://arxiv.org/abs/2010.11929).
# - Liu et al.: *Swin Transformer*, ICCV 2021, [arXiv:2103.14030](https://arxiv.org/abs/2103.14030).
# - Katharopoulos et al.: *Transformers are RNNs*, ICML 2020,
#   [arXiv:2006.16236](https://arxiv.org/abs/2006.16236). Linear attention.
# - Cai et al.: *EfficientViT*, ICCV 2023, [arXiv:2205.14756](https://arxiv.org/abs/2205.14756).
# - Liu et al.: *FlatFormer*, CVPR 2023, [arXiv:2301.08739](https://arxiv.org/abs/2301.08739).
