;;; meta-log-federation.el --- Announce, discover, and the blackboard  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, hypermedia
;; Package-Requires: ((emacs "28.1") (jsonrpc "1.0.14"))

;;; Commentary:

;; The federation from Lisp: start it, announce this peer, see who is
;; there, and keep the blackboard, an Org file that lists the peers and the
;; canvases.  People may write anything into that file: only the property
;; drawers of its entries are kept by the program.
;;
;; The blackboard is a document that all peers share, and the sidecar merges
;; it entry by entry.  So what other people wrote is in the user's own Org
;; file: it opens in `org-mode', but with nothing in it obeyed.

;;; Code:

(require 'cl-lib)
(require 'subr-x)
(require 'meta-log-peer-sync-core)
(require 'meta-log-mqtt)
(require 'meta-log-identity)

(defcustom meta-log-federation-blackboard-file nil
  "The Org file of the federation, or nil.
Nil stands for META_LOG_FEDERATION_BLACKBOARD in the environment, and
without it for `federation-blackboard.org' in the state directory."
  :type '(choice (const :tag "Default" nil) file)
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defvar meta-log-federation--peers meta-log-peer-sync-core-peers
  "Hash table of the known peers: peer id -> `meta-log-peer-sync-peer'.
Its slots are read with `meta-log-peer-sync-peer-public-key', `-name',
`-address', `-online', `-connected', `-trust', `-last-seen' and `-held'.")

(defvar meta-log-federation--mqtt-connection meta-log-mqtt--main
  "The peer's own connection, for `meta-log-mqtt-connection-broker-url'.")

(defun meta-log-federation-blackboard ()
  "Return the absolute name of the blackboard file."
  (let ((environment (getenv "META_LOG_FEDERATION_BLACKBOARD")))
    (expand-file-name
     (cond (meta-log-federation-blackboard-file)
           ((and environment (not (string-empty-p environment))) environment)
           (t "federation-blackboard.org"))
     (meta-log-peer-sync-core-state-directory))))

;;;###autoload
(defun meta-log-federation-init (&optional blackboard-file broker-url)
  "Start the federation; return t at once.
BLACKBOARD-FILE is the Org file to keep, BROKER-URL the broker to use; nil
for what the options and the environment say.  A sidecar that runs with
another broker is restarted."
  (interactive)
  (when blackboard-file
    (setq meta-log-federation-blackboard-file
          (meta-log-peer-sync-core-file-name blackboard-file)))
  (meta-log-peer-sync-core-start :broker-url broker-url)
  (meta-log-federation--watch)
  (meta-log-peer-sync-core-request "peers.announce" nil #'ignore #'ignore)
  t)

(defun meta-log-federation--own-p (id key)
  "Signal a `user-error' when ID or KEY is known not to be this peer's."
  (let ((own meta-log-peer-sync-core-identity))
    (when (and own (or (and id (not (equal id (plist-get own :peer_id))))
                       (and key (not (equal key (plist-get own :public_key))))))
      (user-error "Only this peer's own identity can be announced, %s"
                  (plist-get own :peer_id)))))

;;;###autoload
(defun meta-log-federation-announce-peer (&optional identity-or-peer-id public-key)
  "Announce this peer now; return t at once.
IDENTITY-OR-PEER-ID and PUBLIC-KEY are not needed: what is announced is
the sidecar's own identity.  When they are given they have to be its."
  (interactive)
  (let ((id (if (meta-log-identity-p identity-or-peer-id)
                (meta-log-identity-peer-id identity-or-peer-id)
              (and identity-or-peer-id
                   (meta-log-peer-sync-core-check-peer-id identity-or-peer-id)))))
    (meta-log-federation--own-p id public-key)
    (meta-log-peer-sync-core-request
     "peers.announce" nil
     (lambda (answer)
       (meta-log-federation--own-p id public-key)
       (message "%s" (if (eq (plist-get answer :announced) t)
                         "This peer is announced"
                       "This peer is announced as soon as the broker answers"))))
    t))

(declare-function meta-log-peer-sync-demo--peers "meta-log-peer-sync-demo")

;;;###autoload
(defun meta-log-federation-discover-peers ()
  "Show the peers that are known and return the list of their ids.
It answers at once from what is known, and asks for news meanwhile."
  (interactive)
  (require 'meta-log-peer-sync-demo)
  (unless (meta-log-peer-sync-rpc-running-p)
    (meta-log-peer-sync-core-start))
  (meta-log-peer-sync-core-refresh-peers)
  (meta-log-peer-sync-demo--peers))

(declare-function meta-log-webrtc-connect-peer "meta-log-webrtc")

;;;###autoload
(defun meta-log-federation-connect-to-peer (peer-id)
  "Connect to the peer PEER-ID; return t at once, a message follows."
  (interactive (list (meta-log-peer-sync-core-read-peer "Connect to peer: ")))
  (require 'meta-log-webrtc)
  (meta-log-webrtc-connect-peer peer-id)
  t)

;;;; The blackboard

(defconst meta-log-federation--document "federation-blackboard.org"
  "Name of the document that the blackboard is, whatever its file is called.")

(defconst meta-log-federation--forms
  '(("PEER_ID" . "peer-[a-z2-7]\\{52\\}")
    ("PEER_OWNER" . "peer-[a-z2-7]\\{52\\}")
    ("PEER_PUBLIC_KEY" . "0x[0-9a-f]\\{64\\}")
    ("PEER_ADDRESS" . "\\(?:mqtt\\|ws\\)s?://[][A-Za-z0-9.:_/-]\\{1,200\\}")
    ("PEER_STATUS" . "connected\\|discovered\\|offline")
    ("LAST_SEEN" . "[0-9T:.-]\\{19,29\\}Z")
    ("LAST_MODIFIED" . "[0-9T:.-]\\{19,29\\}Z")
    ("CANVASL_CID" . "[0-9a-z]\\{8,80\\}")
    ("CANVASL_SIGNATURE" . "0x[0-9a-f]\\{128\\}")
    ;; A document name; no character that Org or Emacs acts on.
    ("NODE_ID" . "[[:alnum:]_][[:alnum:] ._/()+,@=-]\\{0,1023\\}"))
  "Properties of entries, and the form that a value must have to be taken.
What other people wrote reaches the file in these forms only, so nothing
in it is a link, a keyword, a macro or a variable.")

(defun meta-log-federation--valid (properties)
  "Return those of PROPERTIES, an alist of strings, that have their form."
  (cl-loop for (name . value) in properties
           for form = (cdr (assoc name meta-log-federation--forms))
           when (and form (stringp value)
                     (let ((case-fold-search nil))
                       (string-match-p (concat "\\`\\(?:" form "\\)\\'") value)))
           collect (cons name value)))

(defun meta-log-federation--properties (end)
  "Return the properties in the lines from point to END, as an alist."
  (let (properties)
    (while (< (point) end)
      ;; No value is that long, and a longer line could take a regexp for ever.
      (when (and (< (- (line-end-position) (point)) 2000)
                 (looking-at "[ \t]*:\\([A-Z_]+\\):[ \t]*\\(.*\\)$"))
        (push (cons (match-string-no-properties 1)
                    (string-trim-right (match-string-no-properties 2)))
              properties))
      (forward-line 1))
    (nreverse properties)))

(defun meta-log-federation--entries ()
  "Return the entries of the blackboard in the current buffer.
Each is (KEY-NAME KEY PROPERTIES BEGIN END); the drawer's lines are between
BEGIN and END."
  (let ((case-fold-search nil) entries)
    (save-excursion
      (goto-char (point-min))
      (while (re-search-forward "^\\*\\*\\* .*\n[ \t]*:PROPERTIES:[ \t]*\n" nil t)
        (let* ((begin (point))
               (next (save-excursion (if (re-search-forward "^\\*" nil t) (point) (point-max))))
               (end (and (re-search-forward "^[ \t]*:END:[ \t]*$" next t)
                         (match-beginning 0))))
          (goto-char begin)
          (when end
            (let* ((properties (meta-log-federation--properties end))
                   (key (or (assoc "PEER_ID" properties) (assoc "NODE_ID" properties))))
              (when key
                (push (list (car key) (cdr key) properties begin end) entries)))))))
    (nreverse entries)))

(defun meta-log-federation--index ()
  "Return the entries of the current buffer as a hash table, for `--put'.
The key is (KEY-NAME . KEY), a value (PROPERTIES BEGIN END), with markers;
new entries, which have no place yet, are (PROPERTIES)."
  (let ((index (make-hash-table :test #'equal)))
    (pcase-dolist (`(,name ,key ,properties ,begin ,end) (meta-log-federation--entries))
      (unless (gethash (cons name key) index)
        (puthash (cons name key)
                 (list properties (copy-marker begin) (copy-marker end t)) index)))
    index))

(defun meta-log-federation--put (index properties)
  "Write PROPERTIES, an alist, into the entry of INDEX of the same key.
Only the lines of these properties change.  An entry that is missing is
noted as a new one, for `meta-log-federation--insert-new'."
  (pcase-let* ((properties (meta-log-federation--valid properties))
               (`(,key-name . ,key) (car properties))
               (entry (gethash (cons key-name key) index)))
    (cond
     ((not (member key-name '("PEER_ID" "NODE_ID"))))
     ((nth 1 entry)
      (pcase-dolist (`(,name . ,value) properties)
        (goto-char (nth 1 entry))
        (if (re-search-forward (format "^\\([ \t]*:%s:\\)[ \t]*\\(.*\\)$" name) (nth 2 entry) t)
            (unless (equal (string-trim-right (match-string 2)) value)
              (replace-match (concat (match-string 1) " " value) t t))
          (goto-char (nth 2 entry))
          (insert (format ":%s: %s\n" name value)))))
     (entry
      (pcase-dolist (`(,name . ,value) properties)
        (setf (alist-get name (car entry) nil nil #'equal) value)))
     (t
      (puthash (cons key-name key) (list properties) index)))))

(defun meta-log-federation--insert-new (index)
  "Write the new entries of INDEX into their sections."
  (pcase-dolist (`(,key-name ,section ,word)
                 '(("PEER_ID" "Peers" "Peer") ("NODE_ID" "CanvasL State" "Node")))
    (let (texts)
      (maphash (lambda (key entry)
                 (unless (or (nth 1 entry) (not (equal (car key) key-name)))
                   (push (format "*** %s: %s\n:PROPERTIES:\n%s:END:\n\n" word (cdr key)
                                 (mapconcat (lambda (pair) (format ":%s: %s\n" (car pair)
                                                                   (cdr pair)))
                                            (car entry) ""))
                         texts)))
               index)
      (when texts
        (meta-log-federation--section section)
        (insert (apply #'concat (nreverse texts)))))))

(defun meta-log-federation--section (title)
  "Go to the end of the section TITLE, which is made when it is missing."
  (goto-char (point-min))
  (if (re-search-forward (format "^\\*\\* %s[ \t]*$" (regexp-quote title)) nil t)
      (progn
        (if (re-search-forward "^\\*\\{1,2\\} " nil t)
            (goto-char (match-beginning 0))
          (goto-char (point-max)))
        (unless (bolp) (insert "\n")))
    (goto-char (point-max))
    (unless (bolp) (insert "\n"))
    (insert (format "** %s\n\n" title))))

(defun meta-log-federation--head ()
  "Write the beginning of a blackboard into an empty buffer."
  (when (= (buffer-size) 0)
    (insert "* Federation Blackboard\n:PROPERTIES:\n:FEDERATION_VERSION: 1.0\n"
            ;; The same on every peer, like all of it: boards that are begun apart are one.
            ":BLACKBOARD_ID: blackboard-commons\n"
            ":LAST_SYNC: \n:END:\n\n** Peers\n\n** CanvasL State\n\n")))

(defun meta-log-federation--now ()
  "Return the time as the blackboard writes it."
  (format-time-string "%Y-%m-%dT%H:%M:%SZ" nil t))

(defun meta-log-federation--write-known (index documents)
  "Write the known peers and DOCUMENTS into INDEX, the entries of a buffer.
DOCUMENTS is what `documents.list' answered."
  (let ((own meta-log-peer-sync-core-identity))
    (when own
      (meta-log-federation--put
       index
       `(("PEER_ID" . ,(plist-get own :peer_id))
         ("PEER_PUBLIC_KEY" . ,(plist-get own :public_key))
         ("PEER_ADDRESS" . ,(meta-log-peer-sync-core-broker-url))
         ("PEER_STATUS" . "connected")))))
  (maphash
   (lambda (id peer)
     (meta-log-federation--put
      index
      `(("PEER_ID" . ,id)
        ("PEER_PUBLIC_KEY" . ,(meta-log-peer-sync-peer-public-key peer))
        ("PEER_ADDRESS" . ,(meta-log-peer-sync-peer-address peer))
        ("PEER_STATUS" . ,(cond ((meta-log-peer-sync-peer-connected peer) "connected")
                                ((meta-log-peer-sync-peer-online peer) "discovered")
                                (t "offline")))
        ("LAST_SEEN" . ,(meta-log-peer-sync-peer-last-seen peer)))))
   meta-log-peer-sync-core-peers)
  (mapc (lambda (document)
          (unless (equal (plist-get document :file) meta-log-federation--document)
            (meta-log-federation--put
             index
             `(("NODE_ID" . ,(plist-get document :file))
               ("CANVASL_CID" . ,(plist-get document :revision))
               ("PEER_OWNER" . ,(plist-get document :peer_id))
               ("LAST_MODIFIED" . ,(plist-get document :time))))))
        documents))

(defun meta-log-federation--visiting (file)
  "Return the buffer that visits FILE; a `user-error' when it is modified."
  (let ((buffer (find-buffer-visiting file)))
    (when (and buffer (buffer-modified-p buffer))
      (user-error "The blackboard has unsaved changes; save it first: %s" file))
    buffer))

(defun meta-log-federation--follow-file (file)
  "Let the buffer that visits FILE, unmodified, show what is in it now."
  (let ((visiting (find-buffer-visiting file)))
    (when (and visiting (not (buffer-modified-p visiting)))
      (with-current-buffer visiting
        (unless (verify-visited-file-modtime)
          (meta-log-peer-sync-guard-replace file))))))

(defun meta-log-federation--update (documents)
  "Bring the blackboard file up to date with DOCUMENTS; return its name."
  (let ((file (meta-log-federation-blackboard)))
    (meta-log-federation--visiting file)
    (with-temp-buffer
      (when (file-exists-p file)
        (insert (meta-log-peer-sync-guard-text file 'utf-8-unix)))
      (let ((before (buffer-string)) (coding-system-for-write 'utf-8-unix))
        (meta-log-federation--head)
        (let ((index (meta-log-federation--index)))
          (meta-log-federation--write-known index documents)
          (meta-log-federation--insert-new index))
        (unless (equal before (buffer-string))
          (goto-char (point-min))
          (when (re-search-forward "^:LAST_SYNC:.*$" nil t)
            (replace-match (concat ":LAST_SYNC: " (meta-log-federation--now)) t t))
          (meta-log-federation--replace-file
           file (lambda (new) (write-region nil nil new nil 'silent))))))
    (meta-log-federation--follow-file file)
    file))

(defun meta-log-federation--replace-file (file function)
  "Let FUNCTION write a new file, and make that FILE: it is the old or the new one."
  (let* ((file (file-truename file))
         (folder (file-name-directory file))
         (mode (file-modes file)))
    (make-directory folder t)
    (let ((new (make-temp-file (expand-file-name ".blackboard" folder)))
          (write-region-inhibit-fsync nil))
      (condition-case problem
          (progn
            (funcall function new)
            (set-file-modes new (or mode #o600))
            (rename-file new file t))
        (error (ignore-errors (delete-file new))
               (signal (car problem) (cdr problem)))))))

;;;; The blackboard as a document

(defvar meta-log-federation--known nil
  "SHA-256 of the text that was last synced from the blackboard, or taken over.")
(defvar meta-log-federation--timer nil "Timer of the next look at the document.")
(defvar meta-log-federation--told nil "Non-nil once it was said that unsaved changes wait.")

(defun meta-log-federation--hash (file)
  "Return the SHA-256 of the bytes of FILE, or nil when there is none."
  (when (file-exists-p file)
    (with-temp-buffer
      (set-buffer-multibyte nil)
      (insert-file-contents-literally file)
      (secure-hash 'sha256 (current-buffer)))))

(defun meta-log-federation--outgoing ()
  "Return the file to sync: the blackboard, or its copy under the document's name."
  (let ((file (meta-log-federation-blackboard)))
    (if (equal (file-name-nondirectory file) meta-log-federation--document)
        file
      (let ((copy (expand-file-name (concat "blackboard/" meta-log-federation--document)
                                    (meta-log-peer-sync-core-state-directory))))
        (with-file-modes #o700 (make-directory (file-name-directory copy) t))
        (meta-log-federation--replace-file
         copy (lambda (new) (copy-file file new t)))
        copy))))

(defun meta-log-federation--replaceable-p (hash revisions)
  "Return non-nil when nobody's text is lost by replacing a blackboard of HASH.
REVISIONS is what `documents.history' answered.  The text has to be in the
document, and not to stand beside its newest version."
  (let ((states (cl-loop for one in revisions
                         when (equal (plist-get one :content_hash) hash)
                         collect (plist-get one :state))))
    (or (null hash)
        (if states
            (not (and (member "concurrent" states) (not (member "current" states))))
          (equal hash meta-log-federation--known)))))

(defun meta-log-federation--install (source hash)
  "Make the file SOURCE the blackboard, unless that is no longer of HASH.
Return non-nil when the blackboard is another one now."
  (let* ((file (meta-log-federation-blackboard))
         (visiting (find-buffer-visiting file))
         (new (meta-log-federation--hash source)))
    (cond
     ((or (equal new hash) (not (equal hash (meta-log-federation--hash file))))
      nil)
     ((and visiting (buffer-modified-p visiting))
      (unless meta-log-federation--told
        (setq meta-log-federation--told t)
        (message "meta-log-peer-sync: others have changed the blackboard; save yours, and \
M-x meta-log-federation-sync-blackboard merges both"))
      nil)
     (t
      (meta-log-federation--replace-file file (lambda (name) (copy-file source name t)))
      (meta-log-federation--follow-file file)
      (setq meta-log-federation--known new
            meta-log-federation--told nil)
      t))))

(defun meta-log-federation--ask (method params success failed)
  "Ask a running sidecar METHOD with PARAMS; SUCCESS is called with the answer.
FAILED is called without arguments when it refuses.  When it is gone or
going, nothing is called: only the user starts it again."
  (when (meta-log-peer-sync-rpc-running-p)
    (meta-log-peer-sync-rpc-request
     method params success
     (lambda (&rest _)
       (when (eq (meta-log-peer-sync-rpc-state) 'ready)
         (funcall failed))))))

(defun meta-log-federation--take (&optional function)
  "Let the blackboard follow the document; then call FUNCTION, if any.
Text that was not synced yet stays: it is merged when it is."
  (let ((function (or function #'ignore))
        (hash (meta-log-federation--hash (meta-log-federation-blackboard)))
        (document (list :file meta-log-federation--document)))
    (meta-log-federation--ask
     "documents.history" document
     (lambda (answer)
       (if (meta-log-federation--replaceable-p hash (append (plist-get answer :revisions) nil))
           (meta-log-federation--ask
            "documents.export" document
            (lambda (answer)
              (meta-log-federation--taken (plist-get answer :path) hash function))
            function)
         (funcall function)))
     function)))

(defun meta-log-federation--taken (source hash function)
  "Make the file SOURCE the blackboard in place of one of HASH; call FUNCTION."
  (if (and (stringp source) (meta-log-federation--install source hash))
      ;; It is the base of the next change, also after a restart.
      (meta-log-federation--ask
       "sync.file" (list :path (meta-log-federation--outgoing)
                         :base meta-log-federation--known)
       (lambda (_answer) (funcall function))
       function)
    (funcall function)))

(defun meta-log-federation--on-event (event)
  "Let the blackboard follow the document soon, when EVENT is about it."
  (when (and (member (plist-get event :event) '("document-changed" "document-restored"))
             (equal (plist-get event :file) meta-log-federation--document)
             (not meta-log-federation--timer))
    (setq meta-log-federation--timer
          (run-at-time 0.1 nil
                       (lambda ()
                         (setq meta-log-federation--timer nil)
                         (meta-log-federation--take))))))

(defun meta-log-federation--on-ready (_status)
  "The sidecar is ready: take over what has come meanwhile."
  (when (file-exists-p (meta-log-federation-blackboard))
    (meta-log-federation--take)))

(defun meta-log-federation-unload-function ()
  "Cancel the timer."
  (when meta-log-federation--timer
    (cancel-timer meta-log-federation--timer))
  nil)

;;;; Other people's Org

(defvar org-inhibit-startup)
(defvar org-src-fontify-natively)
(defvar org-cite-activate-processor)
(declare-function org-mode "org")

(defun meta-log-federation--org ()
  "Turn on `org-mode' in the current buffer, obeying nothing in its text.
Keywords would set options, define macros and fetch other files; the name
of a source block's language would be a mode to call; a table could
compute.  What the user asks for is done as always, after a question."
  (require 'org)
  (let ((org-inhibit-startup t) (org-src-fontify-natively nil) (org-cite-activate-processor nil))
    (cl-letf (((symbol-function 'org-collect-keywords) #'ignore))
      (org-mode)))
  (meta-log-peer-sync-guard-make-inert)
  (dolist (setting '((org-src-fontify-natively)
                     (org-cite-activate-processor)
                     (org-table-allow-automatic-line-recalculation)
                     (org-table-formula-evaluate-inline)
                     (org-confirm-babel-evaluate . t)
                     (org-link-elisp-confirm-function . yes-or-no-p)
                     (org-link-shell-confirm-function . yes-or-no-p)))
    (set (make-local-variable (car setting)) (cdr setting))))

(defun meta-log-federation--board-p (file)
  "Return non-nil when FILE is the blackboard."
  (and file
       (not (file-remote-p file))
       (equal (file-truename file) (file-truename (meta-log-federation-blackboard)))))

(defun meta-log-federation--visited ()
  "Show the blackboard, which has just been visited, as Org."
  (when (and (eq major-mode 'meta-log-peer-sync-guard-file-mode)
             (meta-log-federation--board-p buffer-file-name))
    (meta-log-federation--org)))

(defun meta-log-federation--watch ()
  "Follow the document, and let the blackboard open inert from now on."
  (let* ((file (meta-log-federation-blackboard))
         (visiting (find-buffer-visiting file)))
    ;; A prefix of names, and here the whole of one.
    (dolist (name (list file (file-truename file)))
      (cl-pushnew name meta-log-peer-sync-guard--roots :test #'equal))
    (add-hook 'find-file-hook #'meta-log-federation--visited)
    (add-hook 'meta-log-peer-sync-core-changed-functions #'meta-log-federation--on-event)
    (add-hook 'meta-log-peer-sync-core-ready-functions #'meta-log-federation--on-ready)
    (when visiting
      (with-current-buffer visiting
        (unless (bound-and-true-p meta-log-peer-sync-guard--inert)
          (setq meta-log-peer-sync-guard--inert t)
          (meta-log-federation--org))))))

;;;; Syncing it

(defun meta-log-federation--publish (documents peer-id)
  "Write what is known, with DOCUMENTS, into the blackboard, and sync it.
Then take over what the sidecar made of it.  With PEER-ID, compare all
documents with that peer afterwards."
  (let* ((base (meta-log-federation--hash (meta-log-federation-blackboard)))
         (file (meta-log-federation--update documents))
         (hash (meta-log-federation--hash file)))
    (meta-log-peer-sync-core-sync-file
     (meta-log-federation--outgoing)
     (lambda (answer)
       (setq meta-log-federation--known hash)
       (message "meta-log-peer-sync: the blackboard is synced%s"
                (if (eq (plist-get answer :conflict) t)
                    "; M-x meta-log-peer-sync-conflicts shows where two changes met"
                  ""))
       (meta-log-federation--take))
     base)
    (when peer-id
      (meta-log-peer-sync-core-request "sync.all" (list :peer_id peer-id)))))

;;;###autoload
(defun meta-log-federation-sync-blackboard (&optional peer-id)
  "Bring the blackboard up to date and sync it; return its file name at once.
Its entries for peers and canvases are made or updated from what is known,
and everything else in the file stays as it is.  What others have changed
is merged with it, entry by entry, now and whenever they change more; a
buffer that visits the file follows unless it is modified.  With PEER-ID,
compare all documents with that peer afterwards."
  (interactive)
  (when peer-id (meta-log-peer-sync-core-check-peer-id peer-id))
  (meta-log-federation--visiting (meta-log-federation-blackboard))
  (unless (meta-log-peer-sync-rpc-running-p)
    (meta-log-peer-sync-core-start))
  (meta-log-federation--watch)
  (meta-log-peer-sync-core-refresh-peers
   (lambda ()
     (meta-log-federation--take
      (lambda ()
        (meta-log-federation--ask
         "documents.list" nil
         (lambda (answer)
           (meta-log-federation--publish (append (plist-get answer :documents) nil) peer-id))
         #'ignore)))))
  (meta-log-federation-blackboard))

(provide 'meta-log-federation)
;;; meta-log-federation.el ends here
