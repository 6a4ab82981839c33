/* settings_table.h - every setting of training, a row each; the one list of them.
 *
 *     HST_SETTING(kind, type, field, rest of the row)
 *
 * kind of enum hst_setting_type; type and field as in hst_settings, the field's name being that of
 * hst_train_opts as well. A row and the field of hst_train_opts are all that a new setting needs
 * besides the code that obeys it: parsing, checks, refusals, the record, checkpoints, the command
 * line, its help, manual and completion follow from here. Included where HST_SETTING is defined
 * (settings.h, settings.c); settings.c says what the rest of a row means. */

HST_SETTING(CHOICE, enum hst_recipe_id, recipe, .about.name = "recipe", .about.section = "expert",
            .about.words = hst_recipe_names, .standard = ALL("auto"), .record = ELSEWHERE,
            .about.help = "How to train. auto: logistic regression on what the backbone sees; "
                          "fine-tune: then the backbone learns too; tutorial: step for step what "
                          "the TF Hub retraining tutorial does.")
HST_SETTING(FLAG, int, fine_tune, .about.name = "fine-tune", .about.section = "everyday",
            .standard = {NULL, "1", "0", "0"}, .record = ELSEWHERE,
            .about.help = "Let the backbone learn too: recipe fine-tune; with recipe tutorial its "
                          "fine-tuning, all layers on batch statistics.")
HST_SETTING(INT, uint64_t, seed, .about.name = "seed", .about.section = "expert",
            .about.value = "N", .about.most = 0x1p63, .standard = ALL("42"), .record = ELSEWHERE,
            .about.help = "Seed of everything random; the same seed gives the same model, byte for "
                          "byte.")
HST_SETTING(CHOICE, enum hst_preparation, prepare, .about.name = "prepare",
            .about.section = "expert", .about.words = hst_preparation_names,
            .standard = {"pil", "pil", "tf", "tf"}, .record = ELSEWHERE,
            .about.help = "How photos are decoded and resized: as Pillow or as TensorFlow does "
                          "(recipe tutorial: always); fast: as Pillow, but large JPEGs read at a "
                          "half or a quarter of their size; scaled: as Pillow, but 16-bit gray "
                          "stretched over 8 bits where Pillow clips it (the default where there "
                          "are such photos); hub: as Pillow, resized and cropped as the backbone's "
                          "publisher does.")
HST_SETTING(CHOICE, enum hst_fitting, fit, .about.name = "fit", .about.section = "accuracy",
            .about.words = hst_fit_names, .standard = {"squash", "squash", NULL, NULL},
            .record = WHERE_CHANGED,
            .about.help = "How a photo of another shape becomes the network's size. squash: "
                          "stretched; crop: its middle; pad: all of it, on a plain ground. Not "
                          "with --prepare hub, nor with recipe tutorial.")
HST_SETTING(TEXT, const char *, class_weight, .about.name = "class-weight",
            .about.section = "everyday", .about.value = "none|balanced|power:X|FILE",
            .standard = {HST_CLASS_WEIGHT_NONE, HST_CLASS_WEIGHT_NONE, NULL, NULL},
            .record = ELSEWHERE,
            .about.help = "How much a photo of each class counts while the model learns. balanced: "
                          "every class the same, however many photos it has; power:X, with X from "
                          "0 to 1: milder, balanced's weights to the power X; FILE: a CSV file "
                          "with a line label,weight for each class. Not with recipe tutorial.")
HST_SETTING(TEXT, const char *, prior, .about.name = "prior", .about.section = "accuracy",
            .about.value = "as-trained|balanced|FILE",
            .standard = {HST_PRIOR_AS_TRAINED, HST_PRIOR_AS_TRAINED, NULL, NULL},
            .record = WHERE_CHANGED,
            .about.help = "How often the model is to expect each class. as-trained: as among the "
                          "photos it learns from; balanced: all alike, so that a class of few "
                          "photos is named as readily as one of many; FILE: a CSV file with a line "
                          "label,share for each class. Not with recipe tutorial.")
HST_SETTING(INT, int, effort, .about.name = "effort", .about.section = "accuracy",
            .about.value = "0..3", .about.most = 3, .standard = {"0", NULL, NULL, NULL},
            .record = WHERE_CHANGED,
            .about.help = "How much to try for a better model; each step is kept only where "
                          "cross-validation on the training side says that it helps. 0: the "
                          "backbone's features as they are; 1: transforms of them; 2: the "
                          "photo's middle and mirrored photos too, and a second backbone that is "
                          "here already, for some 4 times the passes through networks; 3: more "
                          "backbones, and the first one fine-tuned beside itself, for up to 60.")
HST_SETTING(REAL, double, time_s, .about.name = "time", .about.section = "accuracy",
            .about.value = "X", .about.unit = "s", .about.most = 1e9,
            .standard = {"0", NULL, NULL, NULL}, .record = WHERE_CHANGED,
            .about.help =
                "Seconds for --effort (3 where it is not given): a step is begun only where "
                "it should end in time. What is tried then depends on the machine. 0: no "
                "limit.")

HST_SETTING(INT, int, augmented, .about.name = "augmented", .about.section = "accuracy",
            .about.value = "N", .about.unit = "views", .about.most = 100,
            .standard = {"0", NULL, NULL, NULL}, .record = WHERE_CHANGED,
            .about.help =
                "Learn from N augmented views of each photo as well: parts of it, tilted, "
                "mirrored, in other light. A photo and its views weigh as one; what is "
                "measured is photos as they are. Each view is a pass through the "
                "backbone, kept in the feature store.")

HST_SETTING(INT, int, epochs, .about.name = "epochs", .about.section = "fine-tuning",
            .about.value = "N", .about.least = 1, .about.most = 1e6, .standard = STEPS("3", "5"),
            .about.help = "Passes over the photos (tutorial: short of the last batch).")
HST_SETTING(INT, int, batch, .about.name = "batch", .about.section = "fine-tuning",
            .about.value = "N", .about.unit = "photos", .about.least = 1, .about.most = INT_MAX,
            .standard = STEPS("32", "16"), .about.help = "Photos in a step.")
HST_SETTING(CHOICE, enum hst_optimiser_id, optimizer, .about.name = "optimizer",
            .about.section = "fine-tuning", .about.words = hst_optimiser_names,
            .standard = STEPS("adamw", "sgd"),
            .about.help = "How a step follows the gradient, each as in Keras.")
HST_SETTING(REAL, double, learning_rate, .about.name = "lr", .about.section = "fine-tuning",
            .about.value = "X|auto", .about.words = WORDS("auto"), .about.above_least = 1,
            .about.most = 1e6, .standard = STEPS("0.005", "0.005"),
            .adaptive = STEPS("0.0003", "0.001"), .by_optimizer = 1,
            .about.help =
                "Learning rate, its peak where it changes: of sgd and nesterov 0.005, of "
                "the others 0.0003 (fine-tune) or 0.001 (tutorial). auto, where the backbone "
                "learns: found by a range test of at most 100 steps before training.")
HST_SETTING(REAL, double, warmup, .about.name = "warmup", .about.section = "fine-tuning",
            .about.value = "X", .about.unit = "epochs", .about.most = 1e6,
            .standard = STEPS("0", "0"), .record = WHERE_CHANGED,
            .about.help = "Epochs, or a part of one, over which the learning rate rises in a "
                          "straight line to its peak, instead of the schedule's own rise.")
HST_SETTING(REAL, double, momentum, .about.name = "momentum", .about.section = "fine-tuning",
            .about.value = "X", .about.most = 1, .about.below_most = 1,
            .standard = STEPS("0.9", "0.9"), .by_optimizer = 1,
            .about.help = "Momentum of sgd and nesterov.")
HST_SETTING(REAL, double, l2, .about.name = "l2", .about.section = "fine-tuning",
            .about.value = "X", .about.most = 1e6, .standard = STEPS("0", "0.0001"),
            .about.help = "L2 strength on the head's kernel.")
HST_SETTING(REAL, double, label_smoothing, .about.name = "label-smoothing",
            .about.section = "fine-tuning", .about.value = "X", .about.most = 1,
            .about.below_most = 1, .standard = STEPS("0.1", "0.1"),
            .about.help = "Part of the target that is spread over all classes.")
HST_SETTING(REAL, double, dropout, .about.name = "dropout", .about.section = "fine-tuning",
            .about.value = "X", .about.most = 1, .about.below_most = 1,
            .standard = STEPS("0.2", "0.2"),
            .about.help = "Part of the features left out in each step.")
HST_SETTING(REAL, double, ema, .about.name = "ema", .about.section = "fine-tuning",
            .about.value = "X", .about.most = 1, .about.below_most = 1, .standard = STEPS("0", "0"),
            .record = WHERE_CHANGED,
            .about.help = "Evaluate and save the mean of the weights over the steps, with this "
                          "decay: 0.99 is a memory of some 100 steps; 0: the last step's weights.")

HST_SETTING(TEXT, const char *, thaw, .about.name = "thaw", .about.section = "fine-tuning",
            .about.value = "all|last:N|from:LAYER", .standard = TUNING("all", "all"),
            .about.help = "Which layers of the backbone learn.")
HST_SETTING(
    CHOICE, enum hst_bn_mode, batch_norm, .about.name = "batch-norm",
    .about.section = "fine-tuning",
    .about.words = WORDS([HST_BN_FROZEN] = "frozen", [HST_BN_BATCH] = "batch"),
    .standard = TUNING("frozen", "batch"),
    .about.help = "frozen: statistics stay, weights learn; batch: statistics of each batch.")
HST_SETTING(CHOICE, enum hst_augment, augment, .about.name = "augment",
            .about.section = "fine-tuning", .about.words = hst_augment_names,
            .standard = STEPS("auto", "none"), .record = WHERE_TUNING_OR_CHANGED,
            .about.help = "How a photo is changed each time it is learned from; with recipe "
                          "tutorial each change is another pass through the backbone.")
HST_SETTING(
    CHOICE, enum hst_schedule, schedule, .about.name = "schedule", .about.section = "fine-tuning",
    .about.words =
        WORDS([HST_CONSTANT] = "constant", [HST_COSINE] = "cosine", [HST_ONE_CYCLE] = "one-cycle"),
    .standard = TUNING("one-cycle", "constant"), .about.help = "How the learning rate changes.")
HST_SETTING(
    REAL, double, layer_decay, .about.name = "layer-decay", .about.section = "fine-tuning",
    .about.value = "X", .about.above_least = 1, .about.most = 1, .standard = TUNING("1", "1"),
    .about.help = "Learning rate of a layer (of a transformer: a block) as a part of that of "
                  "the one behind it, the head being the last: 0.75 is usual for "
                  "transformers.")
HST_SETTING(REAL, double, mixup, .about.name = "mixup", .about.section = "fine-tuning",
            .about.value = "X", .about.most = 1e6, .standard = TUNING("0", "0"),
            .record = WHERE_CHANGED,
            .about.help = "Mix the photos of a step in pairs, pixels and labels alike, in parts "
                          "drawn from Beta(X, X): 0.2 mixes little, 1 by any part; 0: never.")
HST_SETTING(REAL, double, cutmix, .about.name = "cutmix", .about.section = "fine-tuning",
            .about.value = "X", .about.most = 1e6, .standard = TUNING("0", "0"),
            .record = WHERE_CHANGED,
            .about.help = "Put a rectangle of each photo of a step into another one, labels by "
                          "area, drawn from Beta(X, X); 0: never. With mixup a step takes one of "
                          "the two.")
HST_SETTING(REAL, double, clip, .about.name = "clip", .about.section = "fine-tuning",
            .about.value = "X", .about.most = 1e6, .standard = TUNING("1", "0"),
            .about.help = "Shorten gradients to this length; 0: never.")
HST_SETTING(INT, int, patience, .about.name = "patience", .about.section = "fine-tuning",
            .about.value = "N", .about.unit = "epochs", .about.most = INT_MAX,
            .standard = TUNING("0", "0"),
            .about.help = "End when N epochs did not lower the loss on the photos kept aside, and "
                          "take the best epoch's weights; the accuracy is then a little too good. "
                          "0: never.")
HST_SETTING(CHOICE, enum hst_keep, keep, .about.name = "keep", .about.section = "fine-tuning",
            .about.words = WORDS([HST_KEEP_BEST] = "best", [HST_KEEP_TUNED] = "tuned"),
            .standard = {NULL, "best", NULL, NULL}, .record = WHERE_CHANGED,
            .about.help =
                "best: a fifth of the photos to learn from is kept from the backbone, and "
                "on these it is chosen as it was, as it became, or halfway; tuned: it "
                "learns from all of them and stays as it became.")
HST_SETTING(
    INT, int, checkpoint_steps, .about.name = "checkpoint-steps", .about.section = "fine-tuning",
    .about.value = "N", .about.unit = "steps", .about.most = INT_MAX, .standard = TUNING("0", "0"),
    .record = ELSEWHERE,
    .about.help = "Save where training stands every N steps too, not after each epoch only.")
HST_SETTING(
    CHOICE, enum hst_final, final, .about.name = "final", .about.section = "accuracy",
    .about.words = hst_final_names, .standard = {"auto", NULL, NULL, NULL}, .record = ELSEWHERE,
    .about.help = "What the final model learns from. all: every photo; the accuracy is that of "
                  "models that each judged photos they had not seen. train: the training side, and "
                  "the other side measures it. auto: all, but train where you chose the sides "
                  "(--val, folders train/ and val/, --split keras).")
HST_SETTING(CHOICE, enum hst_robust, robust, .about.name = "robust", .about.section = "accuracy",
            .about.words = WORDS([HST_ROBUST_NONE] = "none", [HST_ROBUST_DROP] = "drop",
                                 [HST_ROBUST_WEIGHTS] = "weights"),
            .standard = {"none", NULL, NULL, NULL}, .record = WHERE_CHANGED,
            .about.help =
                "Where some labels may be wrong. drop: photos that models which had not seen them "
                "contradict are not learned from; weights: each photo weighs by what they make of "
                "its label. Kept only where it helps with the other photos; not with --augmented.")
HST_SETTING(
    FLAG, int, learning_curve, .about.name = "learning-curve", .about.section = "accuracy",
    .standard = {"0", NULL, NULL, NULL}, .record = ELSEWHERE,
    .about.help =
        "Measure how accurate the model is with 10 to 100 % of the photos, and foresee what "
        "more would bring. Without it, it is done where it takes a fraction of a second.")
HST_SETTING(REAL, double, unknown_rate, .about.name = "unknown-rate", .about.section = "accuracy",
            .about.value = "X", .about.most = 0.5, .standard = {"0.05", "0.05", NULL, NULL},
            .record = ELSEWHERE,
            .about.help =
                "Part of the photos of its classes that the model may call unknown by mistake: it "
                "sets how strange a photo must be to be called so. 0: none is. Not with recipe "
                "tutorial.")
#undef HST_SETTING
